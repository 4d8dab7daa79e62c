/** LG: event logs that lie. They explain a red; a verdict never rests on them: docs/verdicts.md. */
import type { LogSummary } from "../../../shared/event-log/index.ts";
import { encodeLogMessage } from "../../../shared/protocol/index.ts";
import { expect } from "../../conformance/answer.ts";
import { asCbor, type Client } from "../../conformance/client.ts";
import {
  attestation,
  context,
  filledContext,
  openAttestation,
  postSigned,
  sendEvidence,
} from "../../conformance/flows.ts";
import { softwareMachine } from "../../conformance/machine.ts";
import { type Platform, platformOf } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import type { FakeAttester } from "../../support/fake-attester.ts";
import { FIRMWARE, LAUNCH, logOf, measured, pcrsAfter, RECORDED } from "../../support/launch-log.ts";
import { evil } from "../../support/log-scene.ts";
import type { Attack } from "../attack.ts";
import { said } from "../ways.ts";

interface Booted {
  readonly fake: FakeAttester;
  readonly platform: Platform;
}

/** A computer that booted RECORDED. */
async function computer(scene: Scene): Promise<Booted> {
  const fake = scene.software();
  fake.pcrs = pcrsAfter(RECORDED);
  return { fake, platform: await platformOf(softwareMachine(fake), "logged") };
}

const offerLog = async (client: Client, id: number, { machine }: Platform, log: LogSummary) =>
  postSigned(client, machine, `${context(id)}/log`, encodeLogMessage(log));

/** Enrols it with its true log. */
async function enrolled(scene: Scene): Promise<Booted> {
  const booted = await computer(scene);
  const id = await filledContext(scene.me, booted.platform);
  expect(await offerLog(scene.me, id, booted.platform, RECORDED), "2.01");
  expect(await scene.me.post(context(id)), "2.04");
  return booted;
}

/** What evidence of this boot gets with that log beside it. */
async function attests(client: Client, { fake, platform }: Booted, boot: LogSummary, log: LogSummary): Promise<string> {
  fake.pcrs = pcrsAfter(boot);
  const { id, request } = await openAttestation(client, platform);
  expect(await client.post(`${attestation(id)}/log`, asCbor(encodeLogMessage(log))), "2.01");
  return said(await sendEvidence(client, id, await platform.machine.quote(request)));
}

/** An honest log beside honest evidence, of a platform of its own. */
const trueLog = async (scene: Scene): Promise<string> => {
  const { fake } = await computer(scene);
  const platform = await platformOf(softwareMachine(fake), "honest");
  const client = await scene.peer();
  const id = await filledContext(client, platform);
  expect(await offerLog(client, id, platform, RECORDED), "2.01");
  expect(await client.post(context(id)), "2.04");
  return attests(client, { fake, platform }, RECORDED, RECORDED);
};

function attesting(id: string, title: string, expected: string, boot: LogSummary, log: LogSummary): Attack {
  const attack = async (scene: Scene) => attests(scene.me, await enrolled(scene), boot, log);
  return { id, title, expected, honest: "2.04", state: "owned", attack, control: trueLog };
}

/** The same digests under other words. */
const renamed = (log: LogSummary): LogSummary => ({
  ...log,
  events: log.events.map((event) => ({ ...event, step: "firmware", description: "nothing to see here" })),
});

/** Another kernel, which then extends what the recorded one and the initrd would have. */
const COVERED = logOf(
  ...FIRMWARE,
  ...LAUNCH.flatMap((event) => (event.step === "kernel" ? [measured(17, "kernel", "evil"), event] : [event])),
);

export const logAttacks: readonly Attack[] = [
  {
    id: "LG-01",
    title: "enrol a log that is not that of the reference values",
    expected: "4.03",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { platform } = await computer(scene);
      const id = await filledContext(scene.me, platform);
      return said(await offerLog(scene.me, id, platform, evil("kernel")));
    },
    control: trueLog,
  },
  attesting(
    "LG-02",
    "boot another kernel and send the recorded log",
    "4.03 the PCRs are not as recorded: the log does not match the TPM",
    evil("kernel"),
    RECORDED,
  ),
  attesting(
    "LG-03",
    "boot another kernel and send its log with every step renamed to firmware",
    "4.03 the kernel is not as recorded",
    evil("kernel"),
    renamed(evil("kernel")),
  ),
  attesting(
    "LG-04",
    "boot another kernel and extend the recorded measurements after it",
    "4.03 the PCRs are not as recorded",
    COVERED,
    COVERED,
  ),
  attesting(
    "LG-05",
    "send a nonsense log beside good evidence, to make it red",
    "2.04",
    RECORDED,
    logOf(measured(4, "kernel", "nonsense")),
  ),
  attesting(
    "LG-06",
    "send the log with the CPU's event left out",
    "4.03 the PCRs are not as recorded: the log does not match the TPM",
    evil("loader"),
    logOf(...FIRMWARE, ...LAUNCH.slice(1)),
  ),
  {
    id: "LG-07",
    title: "explain a red with PCR values that the TPM did not quote",
    expected: "4.03",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { fake, platform } = await enrolled(scene);
      fake.pcrs = pcrsAfter(evil("kernel"));
      const { id, request } = await openAttestation(scene.me, platform);
      expect(await sendEvidence(scene.me, id, await platform.machine.quote(request)), "4.03");
      fake.reported = pcrsAfter(evil("initrd"));
      return said(await scene.me.post(attestation(id, "/explain"), asCbor(fake.rimBytes())));
    },
    control: trueLog,
  },
  {
    id: "LG-08",
    title: "give a log to another peer's attestation",
    expected: "4.04 no such attestation",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { platform } = await enrolled(scene);
      const { id } = await openAttestation(scene.me, platform);
      const log = asCbor(encodeLogMessage(evil("kernel")));
      return said(await (await scene.peer()).post(`${attestation(id)}/log`, log));
    },
    control: trueLog,
  },
];
