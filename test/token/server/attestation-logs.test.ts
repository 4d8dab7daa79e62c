import assert from "node:assert/strict";
import { encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import type { LogSummary } from "../../../shared/event-log/index.ts";
import { differenceOf, Explanation, encodeLogMessage, Limit, LogMessage, V1 } from "../../../shared/protocol/index.ts";
import type { NotTrusted } from "../../../token/domain/events.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { FIRMWARE, LAUNCH, logOf, measured, pcrsAfter, RECORDED } from "../../support/launch-log.ts";
import { enrolled, evil } from "../../support/log-scene.ts";
import { decoded, posting, type V1Client, type V1Scene } from "../../support/v1-scene.ts";

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: logs at attestation, ${profile.name}`, () => {
    /** A boot, what its attester reports, and the answer to its evidence. */
    const attest = (client: V1Client, boot: LogSummary, reported: LogSummary | "no log" = boot, launched = true) => {
      client.attester.pcrs = pcrsAfter(boot, launched);
      const { path, asked } = client.openAttestation();
      if (reported !== "no log") assert.equal(client.said(posting(`${path}/log`, encodeLogMessage(reported))), "2.01");
      return { path, said: client.said(posting(path, client.evidence(asked))) };
    };
    const verdictIn = (scene: V1Scene): NotTrusted => {
      const event = scene.events.find(({ type }) => type === "attestation-failed");
      return event?.type === "attestation-failed" ? event.verdict : assert.fail("no red");
    };

    it("a good boot is green, with a log and without", () => {
      const { scene, client } = enrolled(profile);
      assert.equal(attest(client, RECORDED).said, "2.04");
      assert.equal(attest(client, RECORDED, "no log").said, "2.04");
      assert.equal(scene.server.sessions.attested, 1);
    });

    it("a log never turns a green into a red: not the recorded one, not nonsense", () => {
      const { client } = enrolled(profile);
      for (const lie of [evil("kernel"), logOf(), { ...RECORDED, startupLocality: 4 }]) {
        assert.equal(attest(client, RECORDED, lie).said, "2.04");
      }
    });

    it("nor a red into a green: the recorded log beside another boot", () => {
      const { scene, client } = enrolled(profile);
      const { said } = attest(client, evil("kernel"), RECORDED);
      assert.equal(said, "4.03 the PCRs are not as recorded: the log does not match the TPM");
      const { reason, detail, pcrs, difference } = verdictIn(scene);
      assert.deepEqual([reason, detail], ["pcr-mismatch", "the log does not match the TPM"]);
      assert.deepEqual([pcrs, difference], [undefined, undefined]);
      assert.equal(scene.lamp, "red");
    });

    it("names the first event that is not as enrolled", () => {
      const { scene, client } = enrolled(profile);
      const { said } = attest(client, evil("initrd"));
      const detail = 'event 3 of PCR 17, "initrd into PCR17", is another; PCR 17 differs';
      assert.equal(said, `4.03 the initrd is not as recorded: ${detail}`);
      const verdict = verdictIn(scene);
      assert.deepEqual([verdict.reason, verdict.detail, verdict.pcrs], ["initrd-changed", detail, [17]]);
      assert.equal(verdict.difference?.kind, "changed");
      assert.equal(scene.lamp, "red");
    });

    it("the answer to an explanation has it, too; the token's log does not tell it twice", () => {
      const { scene, client } = enrolled(profile);
      const { path } = attest(client, evil("command-line"));
      const expected = verdictIn(scene).difference;
      scene.news();
      const answer = client.post(`${path}/explain`, client.attester.rimBytes());
      const { pcrs, reason, difference } = decoded(Explanation, answer);
      assert.deepEqual([pcrs, reason], [[18], "command-line-changed"]);
      assert.deepEqual(difference && differenceOf(difference), expected);
      assert.deepEqual(scene.news(), []);
      assert.equal(client.code(posting(`${path}/explain`, client.attester.rimBytes())), "4.04");
    });

    it("after a log that does not match, true values still name the PCRs", () => {
      const { scene, client } = enrolled(profile);
      const { path } = attest(client, evil("kernel"), RECORDED);
      scene.news();
      const { pcrs, reason, difference } = decoded(
        Explanation,
        client.post(`${path}/explain`, client.attester.rimBytes()),
      );
      assert.deepEqual([pcrs, reason, difference], [[17], "pcr-mismatch", undefined]);
      assert.deepEqual(scene.news(), ["attestation-explained"]);
    });

    it("a platform that was enrolled without a log: PCRs alone", () => {
      const { scene, client } = enrolled(profile, "no log");
      assert.equal(attest(client, evil("kernel")).said, "4.03 the PCRs are not as recorded: PCR 17 differs");
      const { reason, pcrs, difference } = verdictIn(scene);
      assert.deepEqual([reason, pcrs, difference], ["pcr-mismatch", [17], undefined]);
    });

    it("no launch is named with a log and without, and by values", () => {
      const { scene, client } = enrolled(profile);
      const sentence = /^4\.03 no dynamic launch happened: /;
      assert.match(attest(client, logOf(...FIRMWARE), "no log", false).said, sentence);
      assert.match(attest(client, logOf(...FIRMWARE), logOf(...FIRMWARE), false).said, sentence);
      assert.match(attest(client, RECORDED, RECORDED, false).said, sentence);
      assert.match(scene.news().join(), /^(attestation-failed no-dynamic-launch,?){3}$/);
      const { path } = attest(client, logOf(measured(0, "firmware", "x"), ...FIRMWARE.slice(1)), "no log", false);
      const { reason } = decoded(Explanation, client.post(`${path}/explain`, client.attester.rimBytes()));
      assert.equal(reason, "no-dynamic-launch");
    });

    it("words of the peer name nothing but what it says of an added event", () => {
      const { scene, client } = enrolled(profile);
      const [loader, ...others] = LAUNCH;
      const told = (step: "kernel" | "initrd", order: readonly number[]) => {
        const added = { ...measured(17, step, "evil"), description: `it is the ${step}\u001b[31m` };
        const boot = [...FIRMWARE, ...(loader === undefined ? [] : [loader]), added, ...others];
        const reported = order.flatMap((pcr) => boot.filter((event) => event.pcr === pcr));
        attest(client, logOf(...boot), logOf(...reported));
        const { reason, pcrs, difference } = verdictIn(scene);
        scene.news();
        return {
          reason,
          pcrs,
          difference: difference && { ...difference, claim: undefined },
          claim: difference?.claim,
        };
      };
      const one = told("kernel", [0, 1, 2, 3, 4, 5, 6, 7, 17, 18]);
      const other = told("initrd", [18, 17, 7, 6, 5, 4, 3, 2, 1, 0]);
      assert.deepEqual({ ...one, claim: "" }, { ...other, claim: "" });
      assert.deepEqual([one.reason, one.claim], ["pcr-mismatch", "it is the kernel\u001b[31m"]);
      assert.equal(other.difference?.step, undefined);
    });

    it("2.04 when replaced: the last one counts", () => {
      const { scene, client } = enrolled(profile);
      client.attester.pcrs = pcrsAfter(evil("kernel"));
      const { path, asked } = client.openAttestation();
      const send = (log: LogSummary) => client.said(posting(`${path}/log`, encodeLogMessage(log)));
      assert.deepEqual([send(RECORDED), send(evil("kernel"))], ["2.01", "2.04"]);
      client.post(path, client.evidence(asked));
      assert.deepEqual(scene.news(), ["attestation-failed kernel-changed"]);
    });

    it("one of a session: a log for another context takes its place", () => {
      const { scene, client } = enrolled(COMPAT); // strict has one open context
      client.attester.pcrs = pcrsAfter(evil("kernel"));
      const [first, second] = [client.openAttestation(), client.openAttestation()];
      for (const { path } of [first, second]) client.post(`${path}/log`, encodeLogMessage(evil("kernel")));
      client.post(first.path, client.evidence(first.asked));
      client.post(second.path, client.evidence(second.asked));
      assert.deepEqual(scene.news(), ["attestation-failed pcr-mismatch", "attestation-failed kernel-changed"]);
    });

    it("is used up by the evidence, and by a new nonce where that ends the attestation", () => {
      const { scene, client } = enrolled(profile);
      const { path } = attest(client, evil("kernel"));
      scene.news();
      const again = client.said(posting(`${path}/log`, encodeLogMessage(RECORDED)));
      assert.equal(again, profile === STRICT ? "4.04 no such attestation" : "2.01", "compat keeps the context, D-57");
      const open = client.openAttestation();
      client.post(`${open.path}/log`, encodeLogMessage(evil("kernel")));
      client.nonce();
      const code = client.code(posting(`${open.path}/log`, encodeLogMessage(RECORDED)));
      assert.equal(code, profile === STRICT ? "4.04" : "2.04");
    });

    it("unknown and foreign contexts are 4.04, wrong formats and malformed logs 4.00; the context stays", () => {
      const { scene, client } = enrolled(profile);
      const { path, asked } = client.openAttestation();
      const good = encodeLogMessage(RECORDED);
      assert.equal(client.code(posting(`${V1.ATTEST}/1/log`, good)), "4.04");
      assert.equal(scene.client(2).code(posting(`${path}/log`, good)), "4.04");
      assert.equal(client.code(posting(`${path}/log`, good, { contentFormat: 42 })), "4.00");
      for (const bad of hostileLogs()) assert.match(client.said(posting(`${path}/log`, bad)), /^4\.00 log/);
      assert.equal(client.code(posting(path, client.evidence(asked))), "2.04");
    });
  });
}

/** What a hostile peer may send in the place of a log. */
function hostileLogs(): readonly Uint8Array[] {
  const event = { pcr: 17, digest: new Uint8Array(32), step: "kernel", text: "" };
  const item = (
    change: Readonly<Record<string, unknown>>,
    inEvent: Readonly<Record<string, unknown>> = {},
    count = 1,
  ) => {
    const one = new Map(Object.entries({ ...event, ...inEvent }));
    const log = {
      version: 1,
      algo_id: 11,
      startup_locality: 0,
      events: Array.from({ length: count }, () => one),
      ...change,
    };
    return encodeItem(new Map(Object.entries(log)) as Parameters<typeof encodeItem>[0]);
  };
  return [
    new Uint8Array(),
    encodeCbor(LogMessage, { version: 1, algo_id: 0x12, startup_locality: 0, events: [] }),
    item({ version: 2 }),
    item({ startup_locality: 5 }),
    item({ more: 1 }),
    item({}, { pcr: 24 }),
    item({}, { digest: new Uint8Array(20) }),
    item({}, { digest: new Uint8Array(0) }),
    item({}, { step: "kernel-changed" }),
    item({}, { text: "x".repeat(Limit.LOG_TEXT_BYTES + 1) }),
    item({}, { more: 1 }),
    item({}, {}, Limit.LOG_EVENTS + 1),
  ];
}
