import type { Clock, Log } from "../../shared/ports/index.ts";
import type { Refusal } from "./outcome.ts";
import { PING_MS, silenceOf, sleep } from "./presence.ts";
import type { TokenWire } from "./token-wire.ts";
import type { AttestOutcome } from "./v1-attest.ts";
import type { V1Attester } from "./v1-attester.ts";

export interface VerdictOptions {
  readonly attester: Pick<V1Attester, "attest">;
  readonly wire: Pick<TokenWire, "ping">;
  readonly clock: Clock;
  readonly log: Log;
  /** To the verdict, with all waiting. */
  readonly timeoutMs: number;
  /** When that time began, by `clock`; now unless it is said. */
  readonly since?: number;
  /** Ends it, as Ctrl-C does. */
  readonly signal: AbortSignal;
  /** Told of refused evidence at once, while it is still being explained. */
  readonly onRed?: (refusal: Refusal) => void;
}

/** There was no verdict in time, or somebody ended the waiting for it. */
export interface NoVerdict {
  readonly ok: false;
  readonly reason: "timeout" | "interrupted";
  /** A sentence without its full stop. */
  readonly detail: string;
}

export const INTERRUPTED: NoVerdict = { ok: false, reason: "interrupted", detail: "it was interrupted" };

/**
 * One verdict within a time. A token that is silent is waited for, and asked anew when it is there; any other refusal is a verdict, at the
 * end of the time also one that is not explained yet. An attestation that is still under way then goes on into nothing: what it would give is
 * not looked at. Rejects as V1Attester.attest.
 */
export function verdictWithin(options: VerdictOptions): Promise<AttestOutcome | NoVerdict> {
  const { clock, timeoutMs, signal, onRed } = options;
  const { since = clock.now() } = options;
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    let silence: Refusal | undefined;
    let red: Refusal | undefined;
    const end = (settle: () => void) => {
      over.abort();
      cancel();
      signal.removeEventListener("abort", interrupt);
      settle();
    };
    const interrupt = () => end(() => resolve(INTERRUPTED));
    const cancel = clock.after(Math.max(0, since + timeoutMs - clock.now()), () =>
      end(() => resolve(red ?? inTime(silence, timeoutMs))),
    );
    signal.addEventListener("abort", interrupt, { once: true });
    if (signal.aborted) return interrupt();
    const note = (refusal: Refusal | undefined) => {
      silence = refusal;
    };
    const onRefused = (refusal: Refusal) => {
      if (over.signal.aborted) return;
      red = refusal;
      onRed?.(refusal);
    };
    firstVerdict(options, over.signal, { note, onRefused }).then(
      (outcome) => end(() => resolve(outcome)),
      (error: unknown) => end(() => reject(error)),
    );
  });
}

/** At the end of the time: a token that was never there, or one that took too long. */
function inTime(silence: Refusal | undefined, timeoutMs: number): Refusal | NoVerdict {
  const within = `within ${timeoutMs / 1_000} s`;
  if (silence !== undefined) return { ...silence, detail: `${silence.detail} ${within}` };
  return { ok: false, reason: "timeout", detail: `there was no verdict ${within}` };
}

/** What is told before there is an outcome. */
interface Told {
  readonly note: (silence: Refusal | undefined) => void;
  readonly onRefused: (refusal: Refusal) => void;
}

async function firstVerdict(
  { attester, wire, clock, log }: VerdictOptions,
  over: AbortSignal,
  { note, onRefused }: Told,
): Promise<AttestOutcome> {
  for (let told = false; ; told = true) {
    const silence = await silenceOf(wire, over);
    if (silence === undefined) {
      note(undefined);
      const outcome = await attester.attest({ onRefused });
      if (outcome.ok || outcome.reason !== "token-silent" || over.aborted) return outcome;
      note(outcome);
    } else {
      note({ ok: false, reason: "token-silent", detail: silence.message });
    }
    if (!told) log.write("info", "Waiting for the token ...");
    await sleep(clock, PING_MS, over);
    if (over.aborted) return { ok: false, reason: "token-silent", detail: "nobody waits any more" };
  }
}
