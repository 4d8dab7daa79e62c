import { CodecError, equal } from "../../shared/bytes/index.ts";
import type { TcgLog } from "../../shared/event-log/index.ts";
import type { TpmPlatform } from "../../shared/ports/index.ts";
import {
  hashNameOf,
  type PcrBank,
  pcrMask,
  pcrValue,
  replay,
  TpmError,
  type TpmlPcrSelection,
  TpmPlatformError,
  TpmUnreachable,
} from "../../shared/tpm/index.ts";
import {
  activeBanks,
  extendPcr,
  PcrsChangingError,
  readPcrs,
  TpmBusyError,
  type TpmClient,
  type TpmRunner,
} from "../tpm/index.ts";
import { logBehindGate } from "./gate-log.ts";
import {
  type GateEvent,
  type GateTarget,
  type GateWay,
  gateDigest,
  gateEvents,
  LAUNCH_WAY,
  PLAIN_WAY,
} from "./gate-target.ts";

/** The cap: after it the TPM's quotes are not those of the system that attested, until the machine is reset. */

export interface Capped {
  readonly ok: true;
  readonly way: GateWay;
  /** TPM_ALG_ID of each bank; all that are active. */
  readonly banks: readonly number[];
  readonly events: readonly GateEvent[];
}

export interface CapRefusal {
  readonly ok: false;
  /**
   * `cap-not-quoted`: the token would not notice the cap; `log-failed`: the event log has no place for it. In both cases nothing was extended.
   * `cap-failed`: the PCRs may be changed already.
   */
  readonly reason: "cap-not-quoted" | "log-failed" | "cap-failed";
  /** A sentence without its full stop. */
  readonly detail: string;
  /** The TPM went away. */
  readonly unreached: boolean;
}

export interface CapOptions {
  readonly tpm: TpmClient;
  /** Where there is one, the cap goes to PCR 17 and 18, otherwise to PCR 7. */
  readonly platform: TpmPlatform | undefined;
  readonly target: GateTarget;
  /** What the quote covered on which the verdict rests. */
  readonly quoted: TpmlPcrSelection;
  /** The log that shall have the events, where there is one. */
  readonly eventLog?: TcgLog | undefined;
}

/** Extends target and cap in every active bank, in one turn, and reads back that the PCRs hold them. What the TPM refuses is a value. */
export async function capPcrs({ tpm, platform, target, quoted, eventLog }: CapOptions): Promise<Capped | CapRefusal> {
  const way = platform === undefined ? PLAIN_WAY : LAUNCH_WAY;
  const events = gateEvents(way, target);
  const mask = pcrMask(way.capPcrs);
  if (!quoted.some(({ pcrSelect }) => (pcrSelect & mask) !== 0)) {
    const detail = `the token did not ask for ${naming(way.capPcrs)}, so it would not notice a cap there`;
    return { ok: false, reason: "cap-not-quoted", detail, unreached: false };
  }
  try {
    const banks = await tpm.turn(async (runner) => {
      const active = await banksOf(runner);
      if (eventLog !== undefined) checkRoom(eventLog, { way, events, banks: active });
      await atLocality(platform, way, () => extendAndCheck(runner, events, active));
      return active;
    });
    return { ok: true, way, banks, events };
  } catch (error) {
    if (error instanceof NoRoomError)
      return { ok: false, reason: "log-failed", detail: error.message, unreached: false };
    if (!isOfTpm(error)) throw error;
    const detail = `the PCRs are not capped: ${error.message}`;
    return { ok: false, reason: "cap-failed", detail, unreached: error instanceof TpmUnreachable };
  }
}

/** "PCR 7" or "PCR 17 and 18". */
export function naming(pcrs: readonly number[]): string {
  return `PCR ${pcrs.join(" and ")}`;
}

/** The TPM holds something else than was extended, or cannot be extended as it must. */
class CapError extends Error {
  override readonly name = "CapError";
}

/** The event log cannot take what would be extended. */
class NoRoomError extends Error {
  override readonly name = "NoRoomError";
}

function checkRoom(log: TcgLog, planned: Pick<Capped, "way" | "events" | "banks">): void {
  try {
    logBehindGate(log, planned);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new NoRoomError(`the event log cannot take the gate's events: ${error.message}`, { cause: error });
  }
}

function isOfTpm(error: unknown): error is Error {
  return [CapError, TpmError, TpmPlatformError, TpmUnreachable, TpmBusyError, PcrsChangingError, CodecError].some(
    (kind) => error instanceof kind,
  );
}

/** The locality is 0 afterwards, also after a failure. */
async function atLocality<T>(
  platform: TpmPlatform | undefined,
  { locality }: GateWay,
  run: () => Promise<T>,
): Promise<T> {
  if (platform === undefined) return run();
  try {
    await platform.setLocality(locality);
    return await run();
  } finally {
    await platform.setLocality(0);
  }
}

/** All that are active, and nothing that is not known here. */
async function banksOf(tpm: TpmRunner): Promise<readonly number[]> {
  const banks = (await activeBanks(tpm)).map(({ hash }) => hash);
  const unknown = banks.find((hash) => hashNameOf(hash) === undefined);
  if (unknown !== undefined) throw new CapError(`${named(unknown)} is active, and its hash is not known here`);
  if (banks.length === 0) throw new CapError("this TPM has no active bank");
  return banks;
}

async function extendAndCheck(tpm: TpmRunner, events: readonly GateEvent[], banks: readonly number[]): Promise<void> {
  const selection = banks.map((hash) => ({ hash, pcrSelect: pcrMask(events.map(({ pcr }) => pcr)) }));
  const before = await readPcrs(tpm, selection);
  for (const event of events) {
    await extendPcr(
      tpm,
      event.pcr,
      banks.map((hash) => ({ hash, digest: gateDigest(event, hash) })),
    );
  }
  const after = await readPcrs(tpm, selection);
  for (const hash of banks) {
    for (const pcr of new Set(events.map((event) => event.pcr))) {
      const digests = events.filter((event) => event.pcr === pcr).map((event) => gateDigest(event, hash));
      const [was, is] = [valueIn(before, hash, pcr), valueIn(after, hash, pcr)];
      if (was === undefined || is === undefined || !equal(is, replay(hash, digests, was))) {
        throw new CapError(`PCR ${pcr} of ${named(hash)} does not hold what was extended`);
      }
    }
  }
}

function named(bank: number): string {
  return `bank ${hashNameOf(bank) ?? `0x${bank.toString(16).padStart(4, "0")}`}`;
}

function valueIn(banks: readonly PcrBank[], hash: number, pcr: number): Uint8Array | undefined {
  const bank = banks.find((candidate) => candidate.hash === hash);
  return bank === undefined ? undefined : pcrValue(bank, pcr);
}
