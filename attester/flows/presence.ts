import type { Transmission } from "../../shared/coap/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import { TokenSilent, type TokenWire } from "./token-wire.ts";

/** Whether the token is there, and waiting for it. */

/** Between two pings: well under what a session lives. */
export const PING_MS = 1_000;
/** A token that is there answers a ping in milliseconds; one that is not is noticed before its session would end. */
const QUICK: Partial<Transmission> = { ackTimeoutMs: 400, ackRandomFactor: 1, maxRetransmit: 1 };

/** Undefined when the token answered a ping. */
export async function silenceOf(wire: Pick<TokenWire, "ping">, signal: AbortSignal): Promise<TokenSilent | undefined> {
  if (signal.aborted) return undefined;
  try {
    await wire.ping(QUICK);
    return undefined;
  } catch (error) {
    if (error instanceof TokenSilent) return error;
    throw error;
  }
}

/** Ends early when `signal` is aborted. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener("abort", end, { once: true });
  });
}
