import { dirname, resolve } from "node:path";
import { readFileBytes } from "../../../hw/files/index.ts";
import { type LaunchFiles, sampleInitrd, sampleKernel, sampleLaunch, sampleLoader } from "../../dlme/index.ts";
import type { Scenario, StepValue } from "./schema.ts";

const FILE_PREFIX = "file:";
const MAX_FILE_BYTES = 256 << 20;

/** The files of a boot step: a text stands for a sample file of that name, `file:PATH` is read from beside the scenario. */
export function bootFiles({ loader, kernel, initrd, cmdline }: StepValue<"boot">, { file }: Scenario): LaunchFiles {
  const sample = sampleLaunch();
  const chosen = (text: string | undefined, make: (label: string) => Uint8Array, usual: Uint8Array): Uint8Array => {
    if (text === undefined) return usual;
    if (!text.startsWith(FILE_PREFIX)) return make(text);
    return readFileBytes(resolve(dirname(file), text.slice(FILE_PREFIX.length)), MAX_FILE_BYTES);
  };
  return {
    loader: chosen(loader, sampleLoader, sample.loader),
    kernel: chosen(kernel, sampleKernel, sample.kernel),
    initrd: chosen(initrd, sampleInitrd, sample.initrd ?? sampleInitrd()),
    commandLine: cmdline ?? sample.commandLine,
  };
}
