import { Command } from "commander";
import { Exit, Stop } from "../exit.ts";
import { tpmOption, withTpm } from "./look.ts";

interface ResetArguments {
  readonly tpm?: string;
  readonly unorderly: boolean;
}

/** `fobnail tpm reset`: the computer off and on again. */
export function resetCommand(): Command {
  return new Command("reset")
    .description("power off and on: PCRs, sessions and loaded objects are gone")
    .addOption(tpmOption())
    .option("--unorderly", "without TPM2_Shutdown, as when the plug is pulled: clock and lockout count it", false)
    .action(({ tpm: spec, unorderly }: ResetArguments) =>
      withTpm(spec, async (client, { platform, describe }) => {
        if (platform === undefined) {
          throw new Stop(
            Exit.Usage,
            `the ${describe} is reset by its computer; here only emulator and swtpm:...,ctrl=... can be`,
          );
        }
        if (!unorderly) await client.shutDown();
        await platform.power(unorderly ? "cut" : "orderly");
        await client.startUp({ platform, own: true });
        const { clockInfo } = await client.readClock();
        const clock =
          clockInfo.safe === 1 || clockInfo.safe ? "safe" : "not safe yet: wait some seconds before a quote";
        console.log(`${describe}: reset ${clockInfo.resetCount}, clock ${clock}.`);
      }),
    );
}
