import { Command, Option } from "commander";
import { type DiffArguments, diff } from "./diff.ts";
import { type ReplayArguments, replay } from "./replay.ts";
import { show } from "./show.ts";

/** `fobnail log`: event logs of firmware, dynamic launch and IMA, seen without a TPM. */

const EXAMPLES = `
Examples:
  fobnail log show /sys/kernel/security/tpm0/binary_bios_measurements             what the firmware measured; as root
  fobnail log show /sys/kernel/security/ima/binary_runtime_measurements --json    what IMA measured
  fobnail log replay /sys/kernel/security/tpm0/binary_bios_measurements --bank sha256
  fobnail log replay firmware.log launch.log                                      logs of one boot, in their order
  fobnail log diff good.log today.log                                             what is different today

A file is recognized by its first record: logs of the TCG (SHA-1, crypto-agile), of a dynamic launch, lists of IMA. "-" is standard input.
PCR 17 to 22 are replayed from zero, which is what a dynamic launch leaves. A log tells what was measured; only a quote tells whether it is true.

Exit codes: 0 done or no difference, 1 the logs differ, 2 usage or a file that cannot be used, 70 bug.`;

const jsonOption = () => new Option("--json", "one JSON object a line").default(false);

export function logCommand(name = "fobnail log"): Command {
  const program = new Command(name)
    .description("event logs of a boot: what was measured, what the PCRs must hold, what changed")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("afterAll", EXAMPLES);
  program
    .command("show")
    .argument("<file>", "an event log")
    .description("every event in a sentence")
    .addOption(jsonOption())
    .action((file: string, args: { readonly json: boolean }) => show(file, args));
  program
    .command("replay")
    .argument("<file...>", "event logs of one boot, in their order")
    .description("what the PCRs hold if the logs are true and complete")
    .option("--bank <hash>", "one bank, such as sha256; all unless said otherwise")
    .addOption(
      new Option("--ima <style>", "banks other than SHA-1 in IMA's list: hashed since Linux 5.8, filled up before")
        .choices(["hashed", "padded-sha1"])
        .default("hashed"),
    )
    .addOption(jsonOption())
    .action((files: readonly string[], args: ReplayArguments) => replay(files, args));
  program
    .command("diff")
    .argument("<old>", "the log of a good boot")
    .argument("<new>", "the log to compare with it")
    .description("which events were changed, added, missing or moved, by their digests")
    .option("--bank <hash>", "compare in this bank; the one with the longest digests unless said otherwise")
    .addOption(jsonOption())
    .action((before: string, after: string, args: DiffArguments) => diff([before, after], args));
  return program;
}
