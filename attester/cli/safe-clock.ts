import { realClock } from "../../hw/clock/real.ts";
import type { TpmClient } from "../tpm/index.ts";

/** swtpm and the emulator cross a step of their clocks every 4096 ms. */
const LIMIT_MS = 10_000;
const POLL_MS = 200;

/**
 * A software TPM that somebody left without TPM2_Shutdown says for some seconds that its clock is not safe, and until then every
 * verdict is red. Its clock is its own, so this waits on the wall; `tell` is called when there is something to wait for. False when
 * the clock does not become safe, or `ended` comes first.
 */
export async function untilClockIsSafe(client: TpmClient, tell: () => void, ended?: AbortSignal): Promise<boolean> {
  const limit = realClock.now() + LIMIT_MS;
  for (let told = false; (await client.readClock()).clockInfo.safe === 0; told = true) {
    if (realClock.now() > limit || ended?.aborted === true) return false;
    if (!told) tell();
    await new Promise<void>((resolve) => realClock.after(POLL_MS, resolve));
  }
  return true;
}
