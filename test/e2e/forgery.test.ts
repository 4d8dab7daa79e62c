import assert from "node:assert/strict";
import { measurementsOf, runMeasuredBoot, sampleLaunch } from "../../attester/dlme/index.ts";
import { wireSignature } from "../../attester/flows/signed.ts";
import { type AikKind, createTpmClient, type TpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { encode } from "../../shared/bytes/index.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import type { Evidence, QuoteRequest } from "../../shared/protocol/index.ts";
import { type PcrBank, pcrDigest, TpmAlg, TpmError, TpmSt, TpmsAttest } from "../../shared/tpm/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { TestLog } from "../support/coap-pair.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { type TpmComputer, tpmComputer } from "../support/tpm-computer.ts";
import { freshEmulator, freshSwtpm } from "../support/tpms.ts";
import { askOver } from "../support/v1-asks.ts";
import { openUdpToken, type UdpToken } from "../support/v1-udp-token.ts";
import { V1Walk } from "../support/v1-walk.ts";

/** The firmware's code: anybody may extend it. */
const FIRMWARE_PCR = 0;
/** TPM_RC_TICKET for parameter 3, the ticket: Part 3, 20.2. */
const TICKET_REFUSED = 0x3e0;

/** What a TPM would say of a computer that booted `wished`: magic, type, nonce, clock and digest are all as they should be. */
function homeMadeAttest({ nonce, banks }: QuoteRequest, wished: readonly PcrBank[]): Uint8Array {
  const pcrSelect = banks.map((bank) => ({ hash: bank.algo_id, pcrSelect: bank.pcrs }));
  return encode(TpmsAttest, {
    type: TpmSt.ATTEST_QUOTE,
    qualifiedSigner: new Uint8Array(34),
    extraData: nonce,
    clockInfo: { clock: 1n, resetCount: 1, restartCount: 0, safe: 1 },
    firmwareVersion: 0n,
    attested: { pcrSelect, pcrDigest: pcrDigest(TpmAlg.SHA256, pcrSelect, wished) ?? assert.fail("no such PCRs") },
  });
}

type Open = (context: Mocha.Context) => ReturnType<typeof freshEmulator>;

function forgeryOn(name: string, open: Open): void {
  describe(`on ${name}`, function () {
    this.timeout(60_000);
    const owner = new FakeOwner();
    let device: Awaited<ReturnType<Open>>;
    let tpm: TpmClient;
    let vendor: Certificate;
    let recorded: readonly PcrBank[];
    const closing: (() => Promise<void>)[] = [];

    before(async function () {
      device = await open(this);
      tpm = createTpmClient(device.transport, { random: systemRandom, clock: realClock, log: new TestLog() });
      await tpm.startUp({ platform: device.platform, own: true });
      const made = await tpm.turn((runner) => manufactureTpm(runner, { random: systemRandom, today: 0 }));
      vendor = made.ok ? made.root : assert.fail(made.detail);
      const booted = await runMeasuredBoot(
        tpm,
        device.platform,
        measurementsOf({ firmware: [], launch: sampleLaunch() }),
      );
      assert.ok(booted.ok);
      recorded = await (await computerWith("restricted-rsa")).readPcrs();
    });

    afterEach(async () => {
      for (const close of closing.splice(0)) await close();
    });

    after(() => device?.stop());

    const computerWith = (aik: AikKind): Promise<TpmComputer> => tpmComputer(tpm, aik);

    const openToken = async (profile: "strict" | "compat", flash?: Flash): Promise<UdpToken> => {
      const roots = { ownerRoot: owner.root.certificate, ekRoots: [vendor] };
      const token = await openUdpToken({ profile, ...roots, ...(flash !== undefined && { flash }) });
      closing.push(() => token.close());
      return token;
    };

    /** A program on the computer, with a session of its own. */
    const programOn = async (computer: TpmComputer, token: UdpToken): Promise<V1Walk> => {
      const port = await openUdpPort("127.0.0.1", 0);
      const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom, log: token.log });
      closing.push(async () => {
        endpoint.close();
        await port.close();
      });
      return new V1Walk(askOver(endpoint, token.peer), owner, computer);
    };

    const forgerOf =
      ({ aik }: TpmComputer) =>
      async (asked: QuoteRequest): Promise<Evidence> => {
        const data = homeMadeAttest(asked, recorded);
        return { data, signature: wireSignature(await tpm.sign(aik, data)) };
      };

    const bootSomethingElse = () =>
      tpm.extend(FIRMWARE_PCR, [
        { hash: TpmAlg.SHA256, digest: digest("sha256", new TextEncoder().encode("firmware that nobody recorded")) },
      ]);

    it("a restricted key signs no home-made TPMS_ATTEST: the TPM itself refuses, and honest evidence is green in strict", async () => {
      const computer = await computerWith("restricted-rsa");
      const token = await openToken("strict");
      const walk = await programOn(computer, token);
      await walk.provisionToken();
      await walk.provisionPlatform();
      await walk.attest();
      assert.ok(token.lamps.green);
      const forge = forgerOf(computer);
      for (const aik of ["restricted-rsa", "restricted-ecc"] as const) {
        const { aik: key } = await computerWith(aik);
        const asked = { nonce: await walk.nonce(), banks: [{ algo_id: TpmAlg.SHA256, pcrs: 0x000600ff }] };
        await assert.rejects(
          () => forgerOf({ ...computer, aik: key })(asked),
          (error) => error instanceof TpmError && error.rc === TICKET_REFUSED,
        );
      }
      await assert.rejects(() => walk.evidence(forge), TpmError);
    });

    it("strict does not enrol the key that signs anything", async () => {
      const token = await openToken("strict");
      const walk = await programOn(await computerWith("reference"), token);
      await walk.provisionToken();
      await assert.rejects(() => walk.provisionPlatform(), /provision\/aik: 4\.03/);
      assert.ok(token.events.some((event) => event.type === "platform-refused" && event.reason === "aik-unrestricted"));
    });

    it("compat enrols it: after another boot honest evidence is red and the forgery green; strict refuses the same token's platform", async () => {
      const computer = await computerWith("reference");
      const flash = createRamFlash();
      const token = await openToken("compat", flash);
      const walk = await programOn(computer, token);
      await walk.provisionToken();
      await walk.provisionPlatform();
      await walk.attest();
      await bootSomethingElse();

      const honest = await programOn(computer, token);
      assert.equal((await honest.evidence()).code, "4.03");
      const refused = token.events.at(-1);
      assert.ok(refused?.type === "attestation-failed" && refused.verdict.reason === "pcr-mismatch");
      assert.ok(token.lamps.red);

      const forger = await programOn(computer, token);
      assert.equal((await forger.evidence(forgerOf(computer))).code, "2.04");
      assert.ok(token.events.some((event) => event.type === "attested"));
      assert.ok(token.lamps.green, "compat cannot tell the forgery");
      await token.close();

      const strict = await openToken("strict", flash);
      const again = await programOn(computer, strict);
      const outcome = await again.evidence(forgerOf(computer)).then(
        ({ code }) => code,
        (error: Error) => error.message,
      );
      assert.match(outcome, /4\.0[34]/);
      const said = strict.events.filter((event) => /attestation-(failed|refused)/.test(event.type));
      assert.equal(said.length, 1, JSON.stringify(strict.events));
      assert.match(JSON.stringify(said), /aik-unrestricted/);
      assert.ok(!strict.lamps.green);
    });
  });
}

describe("a home-made TPMS_ATTEST, signed by the TPM", () => {
  forgeryOn("the emulator", () => freshEmulator("forgery"));
  forgeryOn("swtpm", (context) => freshSwtpm(context));
});
