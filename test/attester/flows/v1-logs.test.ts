import assert from "node:assert/strict";
import type { AttestOutcome } from "../../../attester/flows/index.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import { CoapError, Code } from "../../../shared/coap/index.ts";
import { encodeTcgLog, type LogEvent, type TcgLog } from "../../../shared/event-log/index.ts";
import type { EventLogs } from "../../../shared/ports/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { freshEmulator } from "../../support/tpms.ts";
import { type Lie, V1AttesterScene } from "./v1-attester-scene.ts";

/** Only paths below a context end so. */
const isLog = (path: unknown) => /\/(provision|attest)\/\d+\/log$/.test(String(path));

function red(outcome: AttestOutcome) {
  return outcome.ok ? assert.fail("green") : outcome;
}

const reading = (...files: readonly Uint8Array[]): EventLogs => ({ read: async () => files });

function firmwareLog(events: number, text = "an event"): Uint8Array {
  const event: LogEvent = {
    ...{ pcr: 4, type: 13, data: utf8(text) },
    digests: [{ hash: TpmAlg.SHA256, digest: new Uint8Array(32) }],
  };
  const log: TcgLog = {
    format: "crypto-agile",
    algorithms: [{ hash: TpmAlg.SHA256, digestBytes: 32 }],
    vendorInfo: new Uint8Array(),
    events: Array.from({ length: events }, () => event),
  };
  return encodeTcgLog(log);
}

describe("API v1 attester: event logs", function () {
  this.timeout(60_000);
  let scene: V1AttesterScene;
  before(async () => {
    scene = await V1AttesterScene.open("strict", await freshEmulator("v1 logs"));
  });
  after(() => scene.close());
  beforeEach(async () => {
    scene.lie = () => undefined;
    const { domain } = scene.token;
    for (const { summary } of domain.listPlatforms()) domain.removePlatform(summary.id);
    await scene.boot();
    scene.events.length = 0;
    scene.takeLog();
  });

  const provision = async (eventLogs: EventLogs | undefined = scene.eventLogs) => {
    const { attester } = scene.program({ eventLogs });
    assert.ok((await scene.run(attester.provision())).ok);
    return attester;
  };
  const kept = () => scene.token.domain.listPlatforms().map(({ logEvents }) => logEvents);

  it("the token keeps what was measured; green stays green", async () => {
    const attester = await provision();
    assert.ok((kept()[0] ?? 0) > 6);
    assert.ok((await scene.run(attester.attest())).ok);
    assert.deepEqual(
      scene.takeLog().filter((line) => /^(warn|info)/.test(line) && line.includes("log")),
      [],
    );
  });

  for (const [reason, change] of [
    ["loader-changed", { loader: "evil" }],
    ["kernel-changed", { kernel: "evil" }],
    ["initrd-changed", { initrd: "evil" }],
    ["command-line-changed", { commandLine: "init=/bin/sh" }],
    ["no-dynamic-launch", { launch: false }],
  ] as const) {
    it(`${reason}: is told in words and as a fact`, async () => {
      const attester = await provision();
      await scene.boot(change);
      const outcome = red(await scene.run(attester.attest()));
      assert.equal(outcome.reason, reason);
      assert.equal(outcome.difference?.kind, reason === "no-dynamic-launch" ? "missing" : "changed");
      assert.match(outcome.difference?.expected ?? "", /^[0-9a-f]{64}$/);
      assert.match(
        outcome.detail,
        /^the token refuses the evidence \(4\.03: .*event \d of PCR 1[78], ".*", .*PCR [\d, ]+ differs?\)$/,
      );
      const told = scene.events.find((event) => event.type === "attestation-failed");
      assert.deepEqual(told?.type === "attestation-failed" && told.verdict.difference, outcome.difference);
    });
  }

  it("without logs it is as ever: PCRs by their values", async () => {
    await provision();
    await scene.boot({ kernel: "evil" });
    const { reason, difference, pcrs, detail } = red(await scene.run(scene.program().attester.attest()));
    assert.deepEqual([reason, difference, pcrs], ["pcr-mismatch", undefined, [17]]);
    assert.match(detail, /; PCR 17 does not hold what was recorded$/);
  });

  it("a log that does not match the TPM is said so", async () => {
    const attester = await provision();
    const former = await scene.eventLogs.read();
    await scene.boot({ kernel: "evil" });
    const liar = scene.program({ eventLogs: reading(...former) }).attester;
    const outcome = red(await scene.run(liar.attest()));
    assert.match(outcome.detail, /the log does not match the TPM\); PCR 17 does not hold what was recorded$/);
    assert.deepEqual([outcome.reason, outcome.difference], ["pcr-mismatch", undefined]);
    assert.ok(attester);
  });

  it("a log of another boot is not enrolled, and that is a warning", async () => {
    const former = await scene.eventLogs.read();
    await scene.boot({ kernel: "new" });
    await provision(reading(...former));
    assert.deepEqual(kept(), [0]);
    assert.match(
      scene.takeLog().join("\n"),
      /^warn: The platform is provisioned without its event log: .*4\.03: the log does not replay/m,
    );
  });

  const useless: Readonly<Record<string, EventLogs>> = {
    "there is none": reading(),
    "it is cut short": reading(firmwareLog(2).subarray(0, -1)),
    "it is none": reading(utf8("no log at all, but a text that is long enough for one")),
    "it is longer than a message": reading(firmwareLog(300)),
    "it may not be read": { read: () => Promise.reject(new Error("/sys/log may not be read by this user")) },
  };
  for (const [what, eventLogs] of Object.entries(useless)) {
    it(`goes on without a log when ${what}`, async () => {
      const attester = await provision(eventLogs);
      assert.deepEqual(kept(), [0]);
      assert.ok((await scene.run(attester.attest())).ok);
      const lines = scene.takeLog().filter((line) => line.includes("event logs are not sent"));
      assert.deepEqual(
        lines.map((line) => line.split(":")[0]),
        what === "there is none" ? [] : ["warn", "debug"],
      );
    });
  }

  it("a bug in what reads them is one", async () => {
    const eventLogs: EventLogs = { read: () => Promise.reject("no error at all") };
    const { attester } = scene.program({ eventLogs });
    await assert.rejects(scene.run(attester.provision()), (error) => error === "no error at all");
  });

  it("a token without the resources gets no log, only the question, and nobody is bothered", async () => {
    const sizes: number[] = [];
    const reference: Lie = ({ path, payload }, answer) => {
      if (!isLog(path)) return undefined;
      sizes.push(payload?.byteLength ?? 0);
      return { ...answer, code: Code.NotFound, payload: new Uint8Array() };
    };
    scene.lie = reference;
    const attester = await provision();
    assert.ok((await scene.run(attester.attest())).ok);
    assert.deepEqual(sizes, [0, 0]);
    assert.deepEqual(
      scene.takeLog().filter((line) => line.startsWith("warn")),
      [],
    );
    await scene.boot({ kernel: "evil" });
    assert.equal(red(await scene.run(attester.attest())).reason, "pcr-mismatch");
  });

  for (const code of [Code.Forbidden, Code.RequestEntityTooLarge, Code.InternalServerError, Code.Content]) {
    it(`a log that the token answers with 0x${code.toString(16)} stops nothing`, async () => {
      scene.lie = ({ path, payload }, answer) =>
        isLog(path) && (payload?.byteLength ?? 0) > 0 ? { ...answer, code, payload: new Uint8Array() } : undefined;
      const attester = await provision();
      assert.ok((await scene.run(attester.attest())).ok);
    });
  }

  for (const [what, isAsked] of [
    ["the question", (size: number) => size === 0],
    ["the log", (size: number) => size > 0],
  ] as const) {
    it(`an answer to ${what} that is against the rules of CoAP stops nothing`, async () => {
      let told = 0;
      scene.lie = ({ path, payload }) => {
        if (!isLog(path) || !isAsked(payload?.byteLength ?? 0)) return undefined;
        told++;
        throw new CoapError("protocol", "a critical option 9");
      };
      const attester = await provision();
      assert.ok((await scene.run(attester.attest())).ok);
      assert.equal(told, 2);
    });
  }
});
