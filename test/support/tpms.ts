import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { openSwtpm } from "../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../hw/tpm/swtpm-control.ts";
import { needs } from "./programs.ts";
import { seededRandom } from "./random.ts";
import { startSwtpm } from "./swtpm.ts";

/** A fresh swtpm over both its channels, for a contract suite; the suite is skipped by name where it is not installed. */
export async function freshSwtpm(context: Mocha.Context) {
  needs(context, "swtpm");
  const swtpm = await startSwtpm();
  const transport = await openSwtpm(swtpm.data);
  const platform = await openSwtpmControl(swtpm.control);
  const stop = async () => {
    await transport.close();
    await platform.close();
    await swtpm.stop();
  };
  return { transport, platform, stop };
}

/** A fresh emulator in memory; `label` decides its seeds. */
export async function freshEmulator(label: string) {
  const { transport, platform } = createTpmEmulator({ random: seededRandom(1, label), clock: new VirtualClock() });
  return { transport, platform, stop: () => transport.close() };
}
