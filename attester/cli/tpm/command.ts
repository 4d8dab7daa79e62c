import { Command } from "commander";
import { eventLogCommand } from "./event-log.ts";
import { manufactureCommand } from "./manufacture.ts";
import { pcrCommand } from "./pcr.ts";
import { resetCommand } from "./reset.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";

const EXAMPLES = `
Examples:
  fobnail tpm manufacture --tpm emulator:tpm --out vendor
  fobnail tpm serve --state tpm                       the emulator for tpm2-tools and others, until Ctrl-C
  fobnail tpm status --tpm swtpm:127.0.0.1:2321,ctrl=2322
  fobnail tpm pcr --tpm emulator:tpm --bank sha256
  fobnail tpm reset --tpm emulator:tpm --unorderly
  fobnail tpm eventlog --tpm emulator:tpm --drtm-log drtm.log

Exit codes: 0 done, 1 refused or not as the logs say, 2 usage, 3 TPM or address not to be had, 70 bug.`;

/** `fobnail tpm`: what there is to do with TPMs apart from attesting. */
export function tpmCommand(name = "fobnail tpm"): Command {
  return new Command(name)
    .description("software TPMs: give them what a vendor does, serve them to other programs; look into any TPM")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .addCommand(manufactureCommand())
    .addCommand(serveCommand())
    .addCommand(statusCommand())
    .addCommand(pcrCommand())
    .addCommand(resetCommand())
    .addCommand(eventLogCommand());
}
