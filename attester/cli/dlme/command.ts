import { Command, Option } from "commander";
import { writeNewFiles } from "../../../hw/files/new-files.ts";
import { TPM_SPEC_FORMS } from "../../../hw/tpm/spec.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { type BootArguments, boot } from "./boot.ts";
import { diff } from "./diff.ts";
import { bankNames, SAMPLE, withInputOptions } from "./inputs.ts";
import { type PredictArguments, predict } from "./predict.ts";

/** `fobnail dlme`: the measured launch, simulated. */

const EXAMPLES = `
Examples:
  fobnail dlme samples files                                        a loader, a kernel, an initrd to try things with
  fobnail dlme predict --kernel files/bzImage --json > good.json    what these files will put into the PCRs
  fobnail dlme boot --tpm swtpm:127.0.0.1:2401,ctrl=2402 --kernel /boot/vmlinuz --initrd /boot/initrd.img --cmdline "ro quiet"
  fobnail dlme boot --tpm emulator --log drtm.log --firmware-log firmware.log
  fobnail dlme diff good.json drtm.log                              what of the launch is not as predicted

A launch stays in swtpm until that is reset; the emulator forgets its PCRs when the program ends: there,
"fobnail attester --launch" launches and attests in one. A launch of a TPM behind /dev/tpmrm0 is its machine's own matter.

Exit codes: 0 done or the same, 1 different, or TPM, log and replay do not agree, 2 usage or unusable files, 3 TPM not reached, 70 bug.`;

/** `fobnail dlme`. */
export function dlmeCommand(name = "fobnail dlme"): Command {
  return new Command(name)
    .description("the measured launch of a computer, simulated: boot a software TPM, predict PCRs, compare boots")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .addCommand(bootCommand())
    .addCommand(predictCommand())
    .addCommand(diffCommand())
    .addCommand(samplesCommand());
}

function bootCommand(): Command {
  const command = new Command("boot")
    .description("power on a software TPM, measure firmware and launch into it, and write their logs")
    .addOption(new Option("--tpm <tpm>", TPM_SPEC_FORMS).makeOptionMandatory());
  return withInputOptions(command)
    .option("--log <file>", "where the launch's event log (DRTM) goes")
    .option("--firmware-log <file>", "where the firmware's event log (TCG PC client) goes")
    .option("--json", "one JSON object", false)
    .addHelpText("after", EXAMPLES)
    .action((args: BootArguments) => boot(args));
}

function predictCommand(): Command {
  return withInputOptions(new Command("predict").description("the PCR values that these files will give; needs no TPM"))
    .addOption(
      new Option("--banks <names>", "of sha1, sha256, sha384, sha512")
        .argParser(bankNames)
        .default([TpmAlg.SHA1, TpmAlg.SHA256], "sha1,sha256"),
    )
    .option("--json", "one JSON object, which diff reads", false)
    .addHelpText("after", EXAMPLES)
    .action((args: PredictArguments) => predict(args));
}

function diffCommand(): Command {
  return new Command("diff")
    .description(
      "what differs between two boots; each is a prediction (JSON), or a TCG event log of firmware or launch",
    )
    .argument("<before>", "prediction or log")
    .argument("<after>", "prediction or log")
    .option("--json", "one JSON object", false)
    .addHelpText("after", EXAMPLES)
    .action((before: string, after: string, options: { readonly json: boolean }) => diff(before, after, options));
}

function samplesCommand(): Command {
  return new Command("samples")
    .description("write the files that stand in for those that are not named; they run on no machine")
    .argument("<dir>", "a folder, made when it is not there")
    .addHelpText("after", EXAMPLES)
    .action((folder: string) => writeSamples(folder));
}

function writeSamples(folder: string): void {
  const { loader, kernel, initrd = new Uint8Array(0), commandLine } = SAMPLE;
  const files = [
    { name: "loader.bin", text: loader },
    { name: "bzImage", text: kernel },
    { name: "initrd", text: initrd },
    { name: "cmdline", text: utf8(commandLine) },
  ];
  writeNewFiles(
    folder,
    files.map((file) => ({ ...file, secret: false })),
  );
  console.log(`${folder} holds ${files.map(({ name }) => name).join(", ")}`);
}
