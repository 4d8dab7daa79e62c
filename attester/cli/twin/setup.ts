import { realCalendar } from "../../../hw/clock/real.ts";
import { seededRandom } from "../../../hw/random/seeded.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import { createTpmEmulator } from "../../../hw/tpm/emulator/index.ts";
import { manufactureTpm } from "../../../hw/tpm/manufacture.ts";
import { openTpm } from "../../../hw/tpm/open.ts";
import { parseTpmSpec, type TpmSpec } from "../../../hw/tpm/spec.ts";
import { createVendorCa } from "../../../hw/tpm/vendor-ca.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import type { Calendar, Log, Random, TpmPlatform, TpmTransport } from "../../../shared/ports/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import { initOwner, type OwnerMaterial, readMaterial } from "../../owner/index.ts";
import { createTpmClient, type TpmClient } from "../../tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { untilClockIsSafe } from "../safe-clock.ts";
import { stopFor } from "../stops.ts";
import type { Pace } from "./pace.ts";

/** The day on which every seeded run happens: certificates hold dates, and the same seed must give the same bytes. */
const SEEDED_TODAY = Date.UTC(2026, 0, 1);

/** Where a twin's randomness and dates come from. */
export interface Source {
  readonly calendar: Calendar;
  random(part: string): Random;
}

/** Everything from one seed: repeatable, and insecure. */
export function seededSource(seed: number): Source {
  return { calendar: { today: () => SEEDED_TODAY }, random: (part) => seededRandom(seed, part) };
}

export const systemSource: Source = { calendar: realCalendar, random: () => systemRandom };

export function sourceFor(seed: number | undefined): Source {
  return seed === undefined ? systemSource : seededSource(seed);
}

/** A TPM that a vendor has manufactured, started once and shut down. */
export interface ManufacturedTpm {
  readonly transport: TpmTransport;
  readonly platform: TpmPlatform;
  readonly ekRoot: Certificate;
  readonly ekCertificate: Certificate;
  readonly describe: string;
  close(): Promise<void>;
}

type UnpreparedTpm = Omit<ManufacturedTpm, "ekRoot" | "ekCertificate">;

const silent: Log = { write: () => undefined };

async function safeClock(client: TpmClient): Promise<void> {
  const wait = () => console.error("Waiting some seconds for the TPM's clock: it lost power without TPM2_Shutdown");
  if (await untilClockIsSafe(client, wait)) return;
  throw new Stop(Exit.Refused, "the TPM's clock does not become safe: it lost power without TPM2_Shutdown");
}

/** Gives the TPM EK certificates of a vendor made for it, whatever it had before. */
async function manufacture(
  tpm: UnpreparedTpm,
  source: Source,
  pace: Pace,
): Promise<{ readonly ekRoot: Certificate; readonly ekCertificate: Certificate }> {
  const transport = pace.scheduler?.trackTransport(tpm.transport) ?? tpm.transport;
  const client = createTpmClient(transport, { random: source.random("manufacture"), log: silent, clock: pace.clock });
  await client.startUp({ platform: tpm.platform, own: true });
  const today = source.calendar.today();
  const random = source.random("vendor");
  const ca = createVendorCa({ random, today, key: "ecc" });
  const made = await client.turn((runner) => manufactureTpm(runner, { random, today, ca, force: true }));
  if (!made.ok) throw new Stop(Exit.Refused, made.detail);
  await safeClock(client);
  await client.shutDown();
  return { ekRoot: made.root, ekCertificate: made.ekRsa };
}

async function emulatedTpm(source: Source, pace: Pace): Promise<ManufacturedTpm> {
  const emulator = createTpmEmulator({ random: source.random("tpm"), clock: pace.clock });
  return prepared(
    { ...emulator, describe: "emulator, in memory", close: () => emulator.transport.close() },
    source,
    pace,
  );
}

/** The TPM with its certificates; closed when that fails, so that nothing of it keeps the program from ending. */
async function prepared(tpm: UnpreparedTpm, source: Source, pace: Pace): Promise<ManufacturedTpm> {
  try {
    return { ...tpm, ...(await manufacture(tpm, source, pace)) };
  } catch (error) {
    await tpm.close();
    throw error;
  }
}

/** Stop or TpmSpecError when a twin cannot have that TPM, whatever state it is in. */
export function checkTwinTpm(text: string | undefined): TpmSpec {
  const spec = parseTpmSpec(text ?? "emulator");
  if (spec.kind === "device")
    throw new Stop(Exit.Usage, "a real TPM is not for demos: it would be reset and given new certificates");
  return spec;
}

/**
 * The TPM of a twin. Without a text an emulator in memory. A real TPM is refused: the twin resets it and replaces its
 * certificates. Stop with a sentence when it cannot be used.
 */
export async function tpmForTwin(text: string | undefined, source: Source, pace: Pace): Promise<ManufacturedTpm> {
  const spec = checkTwinTpm(text);
  if (inMemory(spec)) return emulatedTpm(source, pace);
  const opened = await openTpm(text, {
    random: source.random("tpm"),
    clock: pace.clock,
    log: createTextLog({ level: "error" }),
  });
  const { transport, platform, describe } = opened;
  if (platform === undefined) {
    await opened.close();
    throw new Stop(Exit.Usage, `${describe}: a launch needs its control channel: swtpm:HOST:PORT,ctrl=PORT`);
  }
  return prepared({ transport, platform, describe, close: () => opened.close() }, source, pace);
}

const inMemory = (spec: TpmSpec): boolean => spec.kind === "emulator" && spec.directory === undefined;

/** What a twin with the TPM of that text ended by, for people: a TPM from outside may fail, the one in memory only by a bug. */
export function twinStop(text: string | undefined, error: unknown): unknown {
  return inMemory(checkTwinTpm(text)) ? error : stopFor(error);
}

/** An owner with keys and chain. */
export function ownerForTwin(source: Source): OwnerMaterial {
  const files = initOwner({ name: "Example Owner", key: "ecc" }, source.random("owner-keys"), source.calendar);
  const text = (name: string) => utf8(files.find((file) => file.name === name)?.text ?? "");
  const outcome = readMaterial(text("chain.pem"), text("key.pem"), source.calendar.today());
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.material;
}
