import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTpmClient, type TpmClient } from "../../../attester/tpm/index.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../hw/tpm/emulator/index.ts";
import { EK_CHAIN_INDEX, type Manufactured, manufactureTpm } from "../../../hw/tpm/manufacture.ts";
import { createVendorCa } from "../../../hw/tpm/vendor-ca.ts";
import { writeVendorFiles } from "../../../hw/tpm/vendor-files.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import type { TpmPlatform, TpmTransport } from "../../../shared/ports/index.ts";
import { publicKeyOf, TpmAlg, TpmaNvBit, TpmError, TpmHt, TpmRh } from "../../../shared/tpm/index.ts";
import { attributeText, Oid, parseCertificate, readCertificates, validateChain } from "../../../shared/x509/index.ts";
import { seededRandom } from "../../support/random.ts";
import { freshSwtpm } from "../../support/tpms.ts";

const TODAY = Date.UTC(2024, 4, 17);
const quiet = { write: () => undefined };

interface Backend {
  readonly transport: TpmTransport;
  readonly platform: TpmPlatform;
  stop(): Promise<void>;
}

async function manufacture(client: TpmClient, options: { force?: boolean; seed?: number } = {}): Promise<Manufactured> {
  const made = await client.turn((runner) =>
    manufactureTpm(runner, { random: seededRandom(options.seed ?? 1), today: TODAY, force: options.force === true }),
  );
  return made.ok ? made : assert.fail(made.detail);
}

function suite(name: string, manufacturer: string, open: (context: Mocha.Context) => Promise<Backend>): void {
  describe(`manufacturing ${name}`, () => {
    let backend: Backend | undefined;
    let client: TpmClient;

    beforeEach(async function () {
      backend = await open(this);
      client = createTpmClient(backend.transport, { random: seededRandom(2), log: quiet });
      await client.startUp({ platform: backend.platform, own: true });
    });

    afterEach(async () => {
      await backend?.stop();
    });

    it("installs certificates that chain to the vendor's root and are for the TPM's own EKs", async () => {
      const made = await manufacture(client);
      for (const kind of ["rsa", "ecc"] as const) {
        const der = (await client.readEkCertificate(kind)) ?? assert.fail("no certificate");
        const leaf = parseCertificate(der);
        const stored = (await client.nvRead(EK_CHAIN_INDEX)) ?? assert.fail("no chain");
        const chain = { leaf, intermediates: [parseCertificate(stored)], roots: [made.root], purpose: "ek" as const };
        const verdict = validateChain({ ...chain, today: TODAY });
        assert.ok(verdict.ok, JSON.stringify(verdict));
        assert.equal(verdict.path.length, 3);
        assert.equal(
          validateChain({
            ...chain,
            roots: [createVendorCa({ random: seededRandom(9), today: TODAY, key: "ecc" }).root],
          }).ok,
          false,
        );
        const ek = await client.ensureEk(kind);
        assert.deepEqual(leaf.publicKey, publicKeyOf(ek.publicArea));
        assert.deepEqual(leaf.extensions.keyUsage, [kind === "rsa" ? "keyEncipherment" : "keyAgreement"]);
        assert.deepEqual(leaf.extensions.extendedKeyUsage, [Oid.ekCertificateUsage]);
        const [tpm] = leaf.extensions.subjectAltName ?? [];
        assert.ok(tpm?.kind === "directory");
        assert.equal(attributeText(tpm.name, Oid.tpmManufacturer), manufacturer);
        assert.equal(leaf.notAfter, undefined);
      }
    });

    it("leaves no object behind, and indices that only the platform can change", async () => {
      await manufacture(client);
      assert.deepEqual(await client.handles(TpmHt.TRANSIENT), []);
      const index = await client.nvReadPublic(0x01c00002);
      assert.ok(index !== undefined && (index.attributes & TpmaNvBit.PLATFORMCREATE) !== 0);
      await assert.rejects(client.nvWrite(TpmRh.OWNER, 0x01c00002, new Uint8Array(1)), /NV_AUTHORIZATION/);
    });

    it("is done once, unless forced", async () => {
      const first = await manufacture(client);
      const again = await client.turn((runner) => manufactureTpm(runner, { random: seededRandom(1), today: TODAY }));
      assert.ok(!again.ok && again.reason === "already-manufactured");
      const forced = await manufacture(client, { force: true, seed: 3 });
      assert.deepEqual(forced.ekRsa.publicKey, first.ekRsa.publicKey);
      assert.notDeepEqual(forced.root.der, first.root.der);
      assert.deepEqual(await client.readEkCertificate("rsa"), forced.ekRsa.der);
    });
  });
}

suite("swtpm", "id:49424D00", freshSwtpm);

const emulator = async () => {
  const tpm = createTpmEmulator({ random: seededRandom(4), clock: new VirtualClock() });
  return { ...tpm, stop: () => tpm.transport.close() };
};

suite("the emulator", "id:464F424E", emulator);

describe("manufacturing", () => {
  const started = async (seed: number) => {
    const { transport, platform } = await emulator();
    const client = createTpmClient(transport, { random: seededRandom(seed), log: quiet });
    await client.startUp({ platform, own: true });
    return client;
  };

  it("is the same from the same seed", async () => {
    const [a, b] = [await manufacture(await started(1)), await manufacture(await started(1))];
    assert.equal(toHex(a.ekRsa.der), toHex(b.ekRsa.der));
    assert.equal(toHex(a.root.der), toHex(b.root.der));
  });

  it("can share a vendor, whose keys are RSA or P-256", async () => {
    for (const key of ["rsa", "ecc"] as const) {
      const ca = createVendorCa({ random: seededRandom(5), today: TODAY, key });
      assert.equal(ca.root.publicKey.type, key === "rsa" ? "rsa" : "ec");
      const client = await started(6);
      const made = await client.turn((runner) => manufactureTpm(runner, { random: seededRandom(7), today: TODAY, ca }));
      assert.ok(made.ok);
      assert.equal(made.root, ca.root);
      const chain = { leaf: made.ekEcc, intermediates: [made.intermediate], roots: [ca.root], purpose: "ek" as const };
      assert.ok(validateChain({ ...chain, today: TODAY }).ok);
    }
  });

  it("writes the vendor's certificates as PEM", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fobnail-vendor-"));
    try {
      const made = await manufacture(await started(8));
      const files = writeVendorFiles(join(directory, "out"), made);
      const [root] = readCertificates(new Uint8Array(readFileSync(files.root)));
      const [intermediate] = readCertificates(new Uint8Array(readFileSync(files.intermediate)));
      assert.deepEqual(root?.der, made.root.der);
      assert.deepEqual(intermediate?.der, made.intermediate.der);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("refuses a TPM whose hierarchies have passwords", async () => {
    const client = await started(9);
    const made = await client.turn((runner) =>
      manufactureTpm(
        {
          async run(spec, input) {
            // As hardware answers once its firmware has drawn platformAuth and its owner has set ownerAuth.
            if (spec.name !== "NV_DefineSpace") return runner.run(spec, input);
            throw new TpmError(0x9a2, spec.code);
          },
        },
        { random: seededRandom(1), today: TODAY },
      ),
    );
    assert.ok(!made.ok && made.reason === "hierarchies-locked");
    assert.match(made.detail, /TPM_RC_BAD_AUTH/);
  });

  it("takes the owner's word where the platform's is locked", async () => {
    const client = await started(10);
    const made = await client.turn((runner) =>
      manufactureTpm(
        {
          async run(spec, input) {
            if (input.handles?.[0] === TpmRh.PLATFORM) throw new TpmError(0x9a2, spec.code);
            return runner.run(spec, input);
          },
        },
        { random: seededRandom(1), today: TODAY },
      ),
    );
    assert.ok(made.ok);
    assert.equal((await client.nvReadPublic(0x01c0000a))?.nameAlg, TpmAlg.SHA256);
    assert.deepEqual(await client.readEkCertificate("ecc"), made.ekEcc.der);
  });
});
