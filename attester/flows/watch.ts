import type { Clock } from "../../shared/ports/index.ts";
import { PING_MS, silenceOf, sleep } from "./presence.ts";
import type { TokenWire } from "./token-wire.ts";
import type { AttestOutcome } from "./v1-attest.ts";
import type { V1Attester } from "./v1-attester.ts";

/** Attests again and again, bears a token that goes away and comes back. */

/** A clock whose sums lose what is smaller than their last digit would never get past less. */
const LEAST_MS = 1;

export interface WatchOptions {
  readonly attester: Pick<V1Attester, "attest">;
  readonly wire: Pick<TokenWire, "ping">;
  readonly clock: Clock;
  /** From the end of one attestation to the next. */
  readonly intervalMs: number;
  /** Told of the first verdict, of the first after the token was plugged in again, and of each that differs from the one before. */
  readonly onChange: (verdict: AttestOutcome) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** How often the token was plugged in, where that is seen: one that was away, however short, has no session any more. */
  readonly plugs?: () => number;
}

/** The last verdict; undefined when there was none. Rejects as V1Attester.attest does. */
export async function watchToken(options: WatchOptions): Promise<AttestOutcome | undefined> {
  const { attester, wire, clock, intervalMs, signal, plugs = () => 0 } = options;
  let last: AttestOutcome | undefined;
  let toldAtPlug = plugs();
  const tell = (verdict: AttestOutcome, plug = toldAtPlug) => {
    if (signal.aborted) return; // what an end in the middle looks like is no verdict
    if (last === undefined || plug !== toldAtPlug || !sameVerdict(last, verdict)) options.onChange(verdict);
    last = verdict;
    toldAtPlug = plug;
  };
  const isSilent = () => last?.ok === false && last.reason === "token-silent";
  while (!signal.aborted) {
    const before = plugs();
    tell(await attester.attest(), before);
    const nextAt = clock.now() + intervalMs;
    // A token that is gone is only pinged. Once it is back, its sessions are gone, so it is attested at once.
    while (!signal.aborted && (isSilent() || clock.now() < nextAt)) {
      const leftMs = Math.max(LEAST_MS, nextAt - clock.now());
      await sleep(clock, isSilent() ? PING_MS : Math.min(PING_MS, leftMs), signal);
      const silence = await silenceOf(wire, signal);
      if (silence !== undefined) tell({ ok: false, reason: "token-silent", detail: silence.message });
      else if (isSilent() || plugs() !== before) break;
    }
  }
  return last;
}

function sameVerdict(a: AttestOutcome, b: AttestOutcome): boolean {
  if (a.ok || b.ok) return a.ok === b.ok;
  const explained = ({ pcrs, difference }: typeof a) => JSON.stringify([pcrs, difference]);
  return a.reason === b.reason && explained(a) === explained(b);
}
