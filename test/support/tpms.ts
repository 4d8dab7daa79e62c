import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import type { StreamAddress } from "../../hw/tpm/stream-channel.ts";
import { openSwtpm } from "../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../hw/tpm/swtpm-control.ts";
import type { TpmTransport } from "../../shared/ports/index.ts";
import { TpmUnreachable } from "../../shared/tpm/index.ts";
import { needs } from "./programs.ts";
import { seededRandom } from "./random.ts";
import { startSwtpm } from "./swtpm.ts";

/** A fresh swtpm over both its channels, for a contract suite; the suite is skipped by name where it is not installed. */
export async function freshSwtpm(context: Mocha.Context) {
  needs(context, "swtpm");
  const swtpm = await startSwtpm();
  const transport = await connected(swtpm.data);
  const platform = await openSwtpmControl(swtpm.control);
  const stop = async () => {
    await transport.close();
    await platform.close();
    await swtpm.stop();
  };
  return { transport, platform, stop };
}

/** On a loaded machine swtpm may refuse for an instant after its control socket answers. */
async function connected(address: StreamAddress, triesLeft = 50): Promise<TpmTransport> {
  try {
    return await openSwtpm(address);
  } catch (error) {
    if (!(error instanceof TpmUnreachable) || triesLeft === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return connected(address, triesLeft - 1);
  }
}

/** A fresh emulator in memory; `label` decides its seeds. */
export async function freshEmulator(label: string) {
  const tpm = createTpmEmulator({ random: seededRandom(1, label), clock: new VirtualClock() });
  return { ...tpm, stop: () => tpm.transport.close() };
}
