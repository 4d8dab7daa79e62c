import assert from "node:assert/strict";
import type { Refusal } from "../../../attester/flows/index.ts";
import { type EkKind, persist, usingPrimary } from "../../../attester/tpm/index.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import { Code, createEndpoint } from "../../../shared/coap/index.ts";
import { ekEcc, FobnailHandle, TpmAlg, TpmRh } from "../../../shared/tpm/index.ts";
import { seededRandom } from "../../support/random.ts";
import { freshEmulator, freshSwtpm } from "../../support/tpms.ts";
import { type Backend, type Lie, TOKEN, V1AttesterScene } from "./v1-attester-scene.ts";

const SECRET = utf8("correct horse battery staple");

function refused(outcome: { readonly ok: boolean } | Refusal, reason: Refusal["reason"], detail: RegExp): void {
  assert.ok(!outcome.ok && "reason" in outcome, "it was done");
  assert.equal(outcome.reason, reason, outcome.detail);
  assert.match(outcome.detail, detail);
}

const KINDS: readonly { profile: "strict" | "compat"; key: EkKind; enrolled: string }[] = [
  { profile: "strict", key: "rsa", enrolled: "restricted-rsa" },
  { profile: "strict", key: "ecc", enrolled: "restricted-ecc" },
  { profile: "compat", key: "rsa", enrolled: "reference" },
];

function flowsOver(name: string, fresh: (context: Mocha.Context) => Promise<Backend>): void {
  for (const { profile, key, enrolled } of KINDS) {
    describe(`API v1 attester with a TPM of ${name}, ${key.toUpperCase()}, and a ${profile} token`, function () {
      this.timeout(60_000);
      let scene: V1AttesterScene;
      before(async function () {
        scene = await V1AttesterScene.open(profile, await fresh(this));
      });
      after(() => scene?.close());

      it("is unknown to the token until it is provisioned", async () => {
        const { attester } = scene.program({ key });
        refused(await scene.run(attester.attest()), "no-key", /no attestation key/);
        const provisioned = await scene.run(attester.provision());
        assert.deepEqual(provisioned, { ok: true, key: enrolled });
        const lines = scene.takeLog();
        const downgrade = lines.filter((line) => line.includes("Offering the reference's unrestricted RSA key"));
        assert.equal(downgrade.length, profile === "compat" ? 1 : 0, "and it says when it offers the weaker key");
        assert.ok(downgrade.every((line) => /^warn: The token refuses the restricted RSA key \(4\.03/.test(line)));
      });

      it("attests, in the same session and in one that does not know which key was enrolled", async () => {
        for (const { attester, endpoint } of [scene.program({ key }), scene.program({ key })]) {
          for (let i = 0; i < 2; i++) assert.deepEqual(await scene.run(attester.attest()), { ok: true, key: enrolled });
          assert.equal(scene.attested, 1);
          endpoint.close(); // or it would answer the token's pings
          await scene.advance(4_000);
          assert.equal(scene.attested, 0, "the session ended");
        }
        const trying = scene.takeLog().filter((line) => line.includes("trying the reference's unrestricted RSA key"));
        assert.equal(trying.length, profile === "compat" ? 2 : 0);
      });

      it("keeps the session by pings, and lets it end", async () => {
        const { attester, endpoint } = scene.program({ key });
        await scene.run(attester.attest());
        assert.equal(scene.attested, 1);
        const [first, second] = [attester.keepAlive(), attester.keepAlive()];
        first();
        first();
        await scene.advance(20_000);
        assert.equal(scene.attested, 1);
        assert.deepEqual(await scene.run(attester.write("kept", SECRET)), { ok: true, created: true });
        second();
        endpoint.close();
        await scene.advance(4_000);
        assert.equal(scene.attested, 0);
      });

      it("reads, writes and deletes files, with grants where the token wants them", async () => {
        const { attester } = scene.program({ key });
        refused(await scene.run(attester.read("luks")), "not-attested", /attested platforms/);
        await scene.run(attester.attest());
        scene.asked.length = 0;
        refused(await scene.run(attester.read("luks")), "no-file", /reading "luks" \(4\.04/);
        assert.deepEqual(await scene.run(attester.write("luks", SECRET)), { ok: true, created: true });
        assert.deepEqual(await scene.run(attester.read("luks")), { ok: true, data: SECRET });
        const large = new Uint8Array(6000).map((_, i) => i);
        assert.deepEqual(await scene.run(attester.write("luks", large)), { ok: true, created: false });
        assert.deepEqual(await scene.run(attester.read("luks")), { ok: true, data: large });
        refused(await scene.run(attester.write("huge", new Uint8Array(6001))), "storage-failure", /5\.00/);
        assert.deepEqual(await scene.run(attester.write("schlüssel €", SECRET)), { ok: true, created: true });
        assert.deepEqual(await scene.run(attester.read("schlüssel €")), { ok: true, data: SECRET });
        assert.deepEqual(await scene.run(attester.remove("luks")), { ok: true });
        assert.deepEqual(await scene.run(attester.remove("luks")), { ok: true });
        refused(await scene.run(attester.read("luks")), "no-file", /4\.04/);
        const grants = scene.asked.filter((line) => line === "POST /api/v1/storage/grant").length;
        const accesses = scene.asked.filter((line) => line.includes("api/v1/storage/fs/")).length;
        assert.equal(grants, profile === "strict" ? 11 : 0);
        assert.equal(accesses, profile === "strict" ? 12 : 11, "asked without a grant once");
        for (const name of ["", ".", "..", "a/b", "a\0b", "x".repeat(256)]) {
          refused(await scene.run(attester.read(name)), "bad-name", /file name/);
        }
      });

      it("is told which PCRs differ, by a token that tells, and gets no files", async () => {
        await scene.boot({ kernel: "evil" });
        const { attester } = scene.program({ key });
        const verdict = await scene.run(attester.attest());
        refused(verdict, "pcr-mismatch", /refuses the evidence \(4\.03.*PCR 17 does not hold what was recorded/);
        assert.ok(!verdict.ok && verdict.pcrs?.includes(17));
        refused(await scene.run(attester.read("kept")), "no-file", /reading "kept" \(4\.04: not attested\)/);
        const reference = scene.program({ key });
        scene.lie = ({ path }, answer) =>
          String(path).endsWith("/explain") ? { ...answer, code: Code.NotFound, payload: new Uint8Array() } : undefined;
        const silent = await scene.run(reference.attester.attest());
        scene.lie = () => undefined;
        refused(silent, "not-trusted", /refuses the evidence \(4\.03[^;]*$/);
        assert.ok(!silent.ok && silent.pcrs === undefined);
        await scene.boot();
        assert.ok((await scene.run(attester.attest())).ok, "and trusted again after a good boot");
      });

      it("passes on why a platform is not enrolled", async () => {
        const again = await scene.run(scene.program({ key }).attester.provision());
        refused(again, "enrolment-refused", /the token refuses enrolling the platform \(4\.03: .+\)/);
      });
    });
  }
}

flowsOver("the emulator", () => freshEmulator("v1 attester"));
flowsOver("swtpm", freshSwtpm);

describe("API v1 attester", function () {
  this.timeout(60_000);
  const using = async (
    profile: "strict" | "compat",
    use: (scene: V1AttesterScene) => Promise<void>,
    options: { owned?: boolean } = {},
  ) => {
    const scene = await V1AttesterScene.open(profile, await freshEmulator("v1 special"), options);
    try {
      await use(scene);
    } finally {
      await scene.close();
    }
  };

  it("hears that a token has no owner yet", () =>
    using(
      "strict",
      async (scene) => {
        const { attester } = scene.program();
        refused(await scene.run(attester.provision()), "token-unprovisioned", /EK certificates \(4\.04/);
      },
      { owned: false },
    ));

  it("hears that no dynamic launch happened", () =>
    using("strict", async (scene) => {
      await scene.boot({ launch: false });
      const outcome = await scene.run(scene.program().attester.provision());
      assert.ok(!outcome.ok);
      assert.match(outcome.detail, /launch/);
    }));

  it("offers a reference token no P-256 key in vain, and says what would help", () =>
    using("compat", async (scene) => {
      const outcome = await scene.run(scene.program({ key: "ecc" }).attester.provision());
      refused(outcome, "aik-refused", /restricted P-256 key \(4\.03.*know RSA keys only/);
    }));

  it("finds the key that was enrolled, whatever --key says", () =>
    using("strict", async (scene) => {
      assert.ok((await scene.run(scene.program({ key: "ecc" }).attester.provision())).ok);
      const verdict = await scene.run(scene.program({ key: "rsa" }).attester.attest());
      assert.deepEqual(verdict, { ok: true, key: "restricted-ecc" });
      assert.equal(await scene.tpm.findAik("restricted-rsa"), undefined, "and makes none for it");
    }));

  it("offers what it is told to", () =>
    using("strict", async (scene) => {
      const outcome = await scene.run(scene.program({ offers: ["reference"] }).attester.provision());
      refused(outcome, "aik-refused", /unrestricted RSA key \(4\.03/);
      assert.equal(outcome.ok ? undefined : outcome.code, Code.Forbidden);
    }));

  it("asks for no bank that the TPM does not have", () =>
    using("strict", async (scene) => {
      const { attester } = scene.program();
      await scene.run(attester.provision());
      const active = await scene.tpm.activeBanks();
      if (active.some(({ hash }) => hash === TpmAlg.SM3_256))
        return assert.fail("the emulator has SM3-256: choose another bank");
      scene.lie = ({ path, method }, answer) => {
        if (method !== "POST" || path !== "/api/v1/attest") return undefined;
        const at = answer.payload.findIndex((byte, i) => byte === 0x0b && answer.payload[i - 1] === 0x64);
        return { ...answer, payload: answer.payload.map((byte, i) => (i === at ? TpmAlg.SM3_256 : byte)) };
      };
      refused(await scene.run(attester.attest()), "no-bank", /bank 0x0012, which this TPM does not have/);
    }));

  it("leaves another program's key alone", () =>
    using("strict", async (scene) => {
      const handle = FobnailHandle.AIK_RESTRICTED_RSA;
      await scene.tpm.turn((tpm) =>
        usingPrimary(tpm, TpmRh.ENDORSEMENT, ekEcc, (key) => persist(tpm, key.handle, handle)),
      );
      const { attester } = scene.program();
      await assert.rejects(
        scene.run(attester.attest()),
        /ForeignKeyError: the object at 0x8100f0bb is not a restricted/,
      );
      await assert.rejects(scene.run(attester.provision()), /ForeignKeyError/);
    }));

  it("learns from the first refusal that a token wants grants, and says when one is not taken", () =>
    using("strict", async (scene) => {
      const { attester } = scene.program();
      await scene.run(attester.provision());
      await scene.run(attester.attest());
      const bare: Lie = (_request, answer) => ({ ...answer, code: Code.Unauthorized, payload: utf8("no\u0007") });
      scene.lie = (request, answer) => (request.query?.length === 1 ? bare(request, answer) : undefined);
      refused(await scene.run(attester.read("luks")), "grant-refused", /reading "luks" \(4\.01: no\?\)$/);
    }));

  it("says that nobody is there, or that the link breaks in the middle, and does not hang", () =>
    using("strict", async (scene) => {
      const { attester } = scene.program();
      await scene.run(attester.provision());
      await scene.run(attester.attest());
      scene.net.fate = () => [];
      const nobody = /^no token answers at 169\.254\.0\.1:5683$/;
      refused(await scene.run(attester.attest()), "token-silent", nobody);
      refused(await scene.run(attester.read("luks")), "token-silent", nobody);
      refused(await scene.run(attester.provision()), "token-silent", nobody);
      scene.net.fate = () => [1];
      const stranger = scene.program();
      await scene.unplug();
      const port = scene.net.open(TOKEN.address, TOKEN.port);
      const { clock, log } = scene;
      const foreign = createEndpoint({ port, clock, log, random: seededRandom(10, "stranger") });
      refused(await scene.run(stranger.attester.attest()), "token-silent", /^no token answers at .*: .*RST$/);
      foreign.serve(() => ({ code: Code.Content, payload: new Uint8Array(65_537) }));
      const outcome = await scene.run(stranger.attester.attest());
      refused(outcome, "malformed-answer", /answer to a nonce is against the rules of CoAP: /);
      foreign.close();
      await port.close();
      scene.plugIn();
      for (const until of [3, 6, 9, 12, 15, 18, 20]) {
        const before = scene.net.sent.length;
        scene.net.fate = () => (scene.net.sent.length - before > until ? [] : [1]);
        const { attester: another, endpoint } = scene.program();
        const outcome = await scene.run(another.provision());
        assert.ok(!outcome.ok && outcome.reason === "token-silent", `after ${until} datagrams`);
        endpoint.close();
        scene.net.fate = () => [1];
        await scene.advance(4_000);
      }
    }));
});
