import { openSwtpm } from "../../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../../hw/tpm/swtpm-control.ts";
import { tpmClientContract } from "../../contract/tpm-client.ts";
import { needs } from "../../support/programs.ts";
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
