import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../hw/tpm/emulator/index.ts";
import { openSwtpm } from "../../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../../hw/tpm/swtpm-control.ts";
import { tpmClientContract } from "../../contract/tpm-client.ts";
import { needs } from "../../support/programs.ts";
import { seededRandom } from "../../support/random.ts";
import { startSwtpm } from "../../support/swtpm.ts";

tpmClientContract("swtpm", async (context) => {
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
});

tpmClientContract("the emulator", async () => {
  const tpm = createTpmEmulator({ random: seededRandom(1, "tpm emulator"), clock: new VirtualClock() });
  return { ...tpm, stop: () => tpm.transport.close() };
});
