import { type LaunchFiles, sampleInitrd, sampleKernel, sampleLoader } from "../../dlme/index.ts";
import type { BootManner } from "../twin/twin.ts";
import { goodFiles, ORDERLY } from "./options.ts";

/** A boot that nobody recorded, and what a verdict on it must say. */
export interface Tampering {
  readonly what: string;
  readonly files: LaunchFiles;
  readonly manner: BootManner;
  readonly reason: string;
  readonly pcrs: readonly number[];
}

const changed = (what: string, files: Partial<LaunchFiles>, reason: string, pcr: number): Tampering => {
  return { what, files: { ...goodFiles, ...files }, manner: ORDERLY, reason, pcrs: [pcr] };
};

/** One of each kind; everything else is as recorded. */
export const TAMPERINGS: readonly Tampering[] = [
  changed("another loader", { loader: sampleLoader("a loader that nobody recorded") }, "loader-changed", 17),
  changed("another kernel", { kernel: sampleKernel("a kernel that nobody recorded") }, "kernel-changed", 17),
  changed("an initrd with a back door", { initrd: sampleInitrd("a back door") }, "initrd-changed", 17),
  changed(
    "a word more on the command line",
    { commandLine: `${goodFiles.commandLine} init=/bin/sh` },
    "command-line-changed",
    18,
  ),
  {
    what: "the same files without a dynamic launch",
    files: goodFiles,
    manner: { ...ORDERLY, launch: false },
    reason: "no-dynamic-launch",
    pcrs: [17, 18],
  },
];
