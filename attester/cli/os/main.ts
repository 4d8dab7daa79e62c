/** `npm run os:build`: writes the small OS into a folder. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { packageFolder, version } from "../../../hw/terminal/version.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { isMain, runProgram } from "../exit.ts";
import { cachePath, madeFolder } from "./debian.ts";
import { buildImage } from "./image.ts";

interface Arguments {
  readonly out: string;
}

const EXAMPLES = `
Writes vmlinuz, initrd.img, SHA256SUMS and parts.txt. The same sources, packages and Node give the same bytes. Needs apt-get and dpkg-deb,
but no root: packages are unpacked, not installed. What stands on the kernel's command line: docs/os.md.

Exit codes: 0 done, 1 a program that is needed failed, 2 usage, no build or a folder that cannot be made, 3 packages not to be had, 70 bug.`;

/** The files of the image, and what they hash to. */
async function build({ out }: Arguments): Promise<void> {
  madeFolder(out); // before all the work
  const built = join(packageFolder, "dist");
  const sources = { packageFolder, built, version, node: process.execPath };
  const { kernel, initrd, parts } = await buildImage(sources, console.log);
  copyFileSync(kernel.bzImage, join(out, "vmlinuz"));
  writeFileSync(join(out, "initrd.img"), initrd);
  writeFileSync(join(out, "parts.txt"), `${parts.join("\n")}\n`);
  const names = ["vmlinuz", "initrd.img", "parts.txt"];
  const sums = names.map((name) => `${toHex(digest("sha256", readFileSync(join(out, name))))}  ${name}\n`).join("");
  writeFileSync(join(out, "SHA256SUMS"), sums);
  console.log(
    `${sums}The small OS is in ${out}: Linux ${kernel.version}, initrd ${(initrd.byteLength / 1e6).toFixed(1)} MB.`,
  );
}

const program = new Command("os:build")
  .description("build the small OS that attests and then starts another kernel")
  .option("--out <folder>", "where to", cachePath("os"))
  .addHelpText("after", EXAMPLES)
  .action(build);

if (isMain(import.meta.url)) process.exitCode = await runProgram(program, process.argv.slice(2));
