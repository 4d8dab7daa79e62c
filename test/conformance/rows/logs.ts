import { ContentFormat } from "../../../shared/coap/index.ts";
import type { LogSummary } from "../../../shared/event-log/index.ts";
import { Explanation, encodeLogMessage } from "../../../shared/protocol/index.ts";
import type { FakeAttester } from "../../support/fake-attester.ts";
import { LAUNCH, logOf, measured, pcrsAfter, RECORDED } from "../../support/launch-log.ts";
import { bodyOf, expect, expectFacts } from "../answer.ts";
import { asBytes, asCbor, type Client } from "../client.ts";
import {
  another,
  attestation,
  context,
  filledContext,
  openAttestation,
  openContext,
  postSigned,
  sendEvidence,
  sendRim,
} from "../flows.ts";
import { softwareMachine } from "../machine.ts";
import type { Platform } from "../platform.ts";
import { signed } from "../platform.ts";
import type { Need, Row } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Extension 4";

/** A computer in software that boots whatever a row wants. */
interface Computer {
  readonly fake: FakeAttester;
  readonly made: Platform;
}

async function computer({ software, platform }: Scene, boot = RECORDED): Promise<Computer> {
  const fake = software();
  fake.pcrs = pcrsAfter(boot);
  return { fake, made: await platform(softwareMachine(fake)) };
}

const replaced = (step: string, content: string): LogSummary =>
  logOf(...RECORDED.events.map((event) => (event.step === step ? measured(event.pcr, event.step, content) : event)));
const EVIL_KERNEL = replaced("kernel", "evil");
const log = (summary: LogSummary) => asCbor(encodeLogMessage(summary));

/** The log at enrolment, with a fresh nonce. */
function sendLog(me: Client, id: number, { machine }: Platform, summary: LogSummary) {
  return postSigned(me, machine, context(id, "/log"), encodeLogMessage(summary));
}

/** A platform that was enrolled with the log of its boot, or without one. */
async function enrolled(scene: Scene, enrolledLog: LogSummary | "no log" = RECORDED): Promise<Computer> {
  const { me } = scene;
  const { fake, made } = await computer(scene);
  const id = await filledContext(me, made);
  if (enrolledLog !== "no log") expect(await sendLog(me, id, made, enrolledLog), "2.01");
  expect(await me.post(context(id)), "2.04");
  return { fake, made };
}

/** Another boot with what its attester says of it: the answer to the evidence, and the explanation after a red. */
async function attested({ me }: Scene, { fake, made }: Computer, boot: LogSummary, reported: LogSummary) {
  fake.pcrs = pcrsAfter(boot);
  const { id, request } = await openAttestation(me, made);
  expect(await me.post(attestation(id, "/log"), log(reported)), "2.01");
  const answer = await sendEvidence(me, id, await made.machine.quote(request));
  const explain = async () => {
    const rim = await made.machine.rim();
    return bodyOf(expect(await me.post(attestation(id, "/explain"), asCbor(rim)), "2.04"), Explanation);
  };
  return { answer, explain };
}

function row(
  id: string,
  title: string,
  run: (scene: Scene) => Promise<void>,
  needs: readonly Need[] = ["software-tpm"],
): Row {
  return { id, title, source: SOURCE, state: "owned", needs, run };
}

const enrolmentRows: readonly Row[] = [
  row(
    "EL-01",
    "a log that replays to the RIM is taken, then replaced, and the enrolment ends as ever",
    async (scene) => {
      const { me } = scene;
      const { made } = await computer(scene);
      const id = await filledContext(me, made);
      const taken = { format: scene.by(ContentFormat.OctetStream, "none"), bytes: 0 } as const;
      expect(await sendLog(me, id, made, RECORDED), { code: "2.01", ...taken });
      expect(await sendLog(me, id, made, RECORDED), { code: "2.04", ...taken });
      expect(await me.post(context(id)), "2.04");
    },
  ),
  row("EL-02", "a log that does not replay to the RIM is refused, and the platform enrolled without", async (scene) => {
    const { me } = scene;
    const { made } = await computer(scene);
    const id = await filledContext(me, made);
    for (const lie of [EVIL_KERNEL, logOf(), logOf(...RECORDED.events, measured(7, "cap"))]) {
      expect(await sendLog(me, id, made, lie), "4.03");
    }
    expect(await me.post(context(id)), "2.04");
  }),
  row("EL-03", "a log is signed by the AIK over the session's nonce", async (scene) => {
    const { me } = scene;
    const { made } = await computer(scene);
    const id = await filledContext(me, made);
    const send = async (machine: Platform["machine"], nonce: Uint8Array) =>
      me.post(context(id, "/log"), asCbor(await signed(machine, encodeLogMessage(RECORDED), nonce)));
    const stranger = scene.softwareMachine({ aik: scene.by("restricted-rsa", "restricted-ecc") });
    expect(await send(stranger, await me.nonce()), "4.03");
    await me.nonce();
    expect(await send(made.machine, new Uint8Array(32)), "4.03");
  }),
  row("EL-04", "a log without nonce is refused, and so is a second one with the same", async (scene) => {
    const { me } = scene;
    const { made } = await computer(scene);
    const id = await filledContext(me, made);
    const body = asCbor(await signed(made.machine, encodeLogMessage(RECORDED), await me.nonce()));
    expect(await me.post(context(id, "/log"), body), "2.01");
    expect(await me.post(context(id, "/log"), body), "4.03");
  }),
  row("EL-05", "a log comes after the RIM", async (scene) => {
    const { made } = await computer(scene);
    const id = await openContext(scene.me, made.machine);
    expect(await sendLog(scene.me, id, made, RECORDED), "4.03");
  }),
  row("EL-06", "another RIM takes the log away", async (scene) => {
    const { me } = scene;
    const { fake, made } = await computer(scene, EVIL_KERNEL);
    const id = await filledContext(me, made);
    expect(await sendLog(me, id, made, EVIL_KERNEL), "2.01");
    fake.pcrs = pcrsAfter(RECORDED);
    expect(await sendRim(me, id, { ...made, rim: await made.machine.rim() }), "2.04");
    expect(await sendLog(me, id, made, RECORDED), "2.01");
    expect(await me.post(context(id)), "2.04");
  }),
  row("EL-07", "an unknown or foreign provisioning has no log", async (scene) => {
    const { made } = await computer(scene);
    const id = await filledContext(scene.me, made);
    expect(await sendLog(scene.me, another(id), made, RECORDED), "4.04");
    expect(await sendLog(await scene.peer(), id, made, RECORDED), "4.04");
  }),
  row("EL-08", "what is no log is malformed, signed or not", async (scene) => {
    const { me } = scene;
    const { made } = await computer(scene);
    const id = await filledContext(me, made);
    expect(await postSigned(me, made.machine, context(id, "/log"), Uint8Array.of(0xa0)), "4.00");
    expect(await me.post(context(id, "/log"), asCbor(Uint8Array.of(0xa0))), "4.00");
  }),
  row("EL-09", "a log in another format is refused as such", async (scene) => {
    const { me } = scene;
    const { made } = await computer(scene);
    const id = await filledContext(me, made);
    const body = await signed(made.machine, encodeLogMessage(RECORDED), await me.nonce());
    expect(await me.post(context(id, "/log"), asBytes(body)), "4.00");
  }),
];

const attestationRows: readonly Row[] = [
  row("EL-21", "a log before the evidence is taken, then replaced, and a good boot is trusted", async (scene) => {
    const { made } = await enrolled(scene);
    const { id, request } = await openAttestation(scene.me, made);
    const taken = { format: scene.by(ContentFormat.OctetStream, "none"), bytes: 0 } as const;
    expect(await scene.me.post(attestation(id, "/log"), log(EVIL_KERNEL)), { code: "2.01", ...taken });
    expect(await scene.me.post(attestation(id, "/log"), log(RECORDED)), { code: "2.04", ...taken });
    expect(await sendEvidence(scene.me, id, await made.machine.quote(request)), "2.04");
  }),
  row("EL-22", "no log turns a green into a red", async (scene) => {
    const known = await enrolled(scene);
    for (const lie of [EVIL_KERNEL, logOf()]) {
      expect((await attested(scene, known, RECORDED, lie)).answer, "2.04");
    }
  }),
  row("EL-23", "no log turns a red into a green", async (scene) => {
    const known = await enrolled(scene);
    expect((await attested(scene, known, EVIL_KERNEL, RECORDED)).answer, "4.03");
    expect((await attested(scene, known, EVIL_KERNEL, EVIL_KERNEL)).answer, "4.03");
  }),
  row("EL-24", "the first event that is not as enrolled is named", async (scene) => {
    const known = await enrolled(scene);
    const { answer, explain } = await attested(scene, known, EVIL_KERNEL, EVIL_KERNEL);
    expect(answer, { code: "4.03", text: /kernel.*event 2 of PCR 17/ });
    const { pcrs, reason, difference } = await explain();
    expectFacts("PCRs and reason", [pcrs, reason], [[17], "kernel-changed"]);
    const { kind, pcr, index, step } = difference ?? {};
    expectFacts("the difference", [kind, pcr, index, step], ["changed", 17, 1, "kernel"]);
  }),
  row("EL-25", "each step of the launch has a reason of its own", async (scene) => {
    const known = await enrolled(scene);
    for (const { step, pcr } of LAUNCH) {
      const boot = replaced(step, "evil");
      const { reason, pcrs } = await (await attested(scene, known, boot, boot)).explain();
      expectFacts(step, [reason, pcrs], [`${step}-changed`, [pcr]]);
    }
  }),
  row("EL-26", "a log that does not replay to the quote explains nothing, and that is said", async (scene) => {
    const known = await enrolled(scene);
    const { answer, explain } = await attested(scene, known, EVIL_KERNEL, RECORDED);
    expect(answer, { code: "4.03", text: /the log does not match the TPM/ });
    expectFacts("the explanation", await explain(), { pcrs: [17], reason: "pcr-mismatch" });
  }),
  row("EL-27", "without an enrolled log the PCRs alone are named", async (scene) => {
    const known = await enrolled(scene, "no log");
    const { explain } = await attested(scene, known, EVIL_KERNEL, EVIL_KERNEL);
    expectFacts("the explanation", await explain(), { pcrs: [17], reason: "pcr-mismatch" });
  }),
  row("EL-28", "what the peer calls an event, and its order among PCRs, change no reason", async (scene) => {
    const known = await enrolled(scene);
    const [loader, ...others] = LAUNCH.filter(({ pcr }) => pcr === 17);
    const rest = RECORDED.events.filter(({ pcr }) => pcr !== 17);
    const told = async (step: "kernel" | "initrd", before: boolean) => {
      const added = { ...measured(17, step, "evil"), description: `the ${step}` };
      const launch = [...(loader === undefined ? [] : [loader]), added, ...others];
      const boot = before ? logOf(...launch, ...rest) : logOf(...rest, ...launch);
      const { difference, ...explanation } = await (await attested(scene, known, boot, boot)).explain();
      const { kind, index, step: named, claim } = difference ?? {};
      expectFacts("the peer's word", claim, `the ${step}`);
      return [explanation, kind, index, named];
    };
    const wanted = [{ pcrs: [17], reason: "pcr-mismatch" }, "added", 1, undefined];
    expectFacts("an added event", await told("kernel", true), wanted);
    expectFacts("the same event", await told("initrd", false), wanted);
  }),
  row("EL-29", "a boot without its dynamic launch is named as such", async (scene) => {
    const known = await enrolled(scene);
    const firmware = logOf(...RECORDED.events.filter(({ pcr }) => pcr < 8));
    known.fake.pcrs = pcrsAfter(firmware, false);
    const { id, request } = await openAttestation(scene.me, known.made);
    const answer = await sendEvidence(scene.me, id, await known.made.machine.quote(request));
    expect(answer, { code: "4.03", text: /no dynamic launch/ });
  }),
  row("EL-30", "an unknown or foreign attestation has no log", async (scene) => {
    const { made } = await enrolled(scene);
    const { id } = await openAttestation(scene.me, made);
    expect(await scene.me.post(attestation(another(id), "/log"), log(RECORDED)), "4.04");
    expect(await (await scene.peer()).post(attestation(id, "/log"), log(RECORDED)), "4.04");
  }),
  row("EL-31", "a malformed log, or one in another format, is refused, and the attestation goes on", async (scene) => {
    const { made } = await enrolled(scene);
    const { id, request } = await openAttestation(scene.me, made);
    const good = encodeLogMessage(RECORDED);
    for (const bad of [Uint8Array.of(0xa0), good.subarray(0, -1), new Uint8Array()]) {
      expect(await scene.me.post(attestation(id, "/log"), asCbor(bad)), "4.00");
    }
    expect(await scene.me.post(attestation(id, "/log"), asBytes(good)), "4.00");
    expect(await sendEvidence(scene.me, id, await made.machine.quote(request)), "2.04");
  }),
  row(
    "EL-32",
    "an enrolled log outlives the power",
    async (scene) => {
      const known = await enrolled(scene);
      await scene.restart();
      const { reason } = await (await attested(scene, known, EVIL_KERNEL, EVIL_KERNEL)).explain();
      expectFacts("the reason", reason, "kernel-changed");
    },
    ["software-tpm", "power"],
  ),
];

export const logRows: readonly Row[] = [...enrolmentRows, ...attestationRows];
