import type { Clock, Log, Unsubscribe } from "../../shared/ports/index.ts";
import type { TokenWire } from "./token-wire.ts";

/** A session ends 3 s after the last message: two pings may be lost. */
const PING_MS = 1_000;

export interface KeepAlive {
  /** Pings each second until all holders let go. */
  hold(): Unsubscribe;
  /** The same while `work` lasts: what the TPM is asked meanwhile may take longer than a session. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

/** Keeps the session of a wire alive. A ping that is not answered is not repeated here: whoever asks next learns that the token is gone. */
export function createKeepAlive(wire: TokenWire, clock: Clock, log: Log): KeepAlive {
  const holders = new Set<object>();
  let cancel: Unsubscribe = () => undefined;
  let pinging = false;

  const ping = async () => {
    pinging = true;
    try {
      await wire.ping();
    } catch (error) {
      log.write("debug", "The token does not answer a ping", { error });
    } finally {
      pinging = false;
    }
  };
  const beat = () => {
    cancel = clock.after(PING_MS, beat);
    if (!pinging) void ping();
  };
  const hold = () => {
    const holder = {};
    if (holders.size === 0) cancel = clock.after(PING_MS, beat);
    holders.add(holder);
    return () => {
      if (holders.delete(holder) && holders.size === 0) cancel();
    };
  };
  return {
    hold,
    async during(work) {
      const release = hold();
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
