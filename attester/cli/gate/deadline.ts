import type { Clock } from "../../../shared/ports/index.ts";

/** What giving TPM and link back may take, beyond the time that there is for a verdict. */
const GRACE_MS = 2_000;

/** Until when a gate waits for TPM, token and link, before it stays shut without them. */
export interface Deadline {
  /** When it began, by the clock it was made with. */
  readonly since: number;
  /** Aborted at the end, a little after the time for a verdict: what still runs then is not waited for. */
  readonly over: AbortSignal;
  /** Somebody does not want to wait so long. */
  hasten(): void;
  /** There is no end any more, since there is a green verdict. */
  lift(): void;
}

export function createDeadline(clock: Clock, verdictMs: number): Deadline {
  const over = new AbortController();
  const since = clock.now();
  const endAfter = (ms: number) => clock.after(ms, () => over.abort());
  let cancel = endAfter(verdictMs + GRACE_MS);
  let lifted = false;
  return {
    since,
    over: over.signal,
    hasten() {
      if (lifted) return;
      cancel();
      cancel = endAfter(Math.min(GRACE_MS, since + verdictMs + GRACE_MS - clock.now()));
    },
    lift() {
      lifted = true;
      cancel();
    },
  };
}

/** `work`, or the rejection that `late` gives when the deadline comes first: what `work` comes to then, nobody learns. */
export function inTime<T>(deadline: Deadline, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    deadline.over.addEventListener("abort", () => reject(late()), { once: true });
    work.then(resolve, reject);
  });
}
