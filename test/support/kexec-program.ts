/** A program named kexec that takes what kexec-tools take, and only notes what it would start: the machine of a test is not to be left. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { KexecTarget } from "../../shared/ports/index.ts";

/** Like kexec_file_load it wants a bzImage: "HdrS" at 0x202. `loaded` is what stands in the kernel's memory. */
const script = (folder: string) => `#!/bin/sh
set -e
state='${folder}'
echo "$@" >>"$state/calls"
if [ -e "$state/fails-$1$2" ]; then echo "kexec: Operation not permitted" >&2; exit 255; fi
case "$1 $2" in
"-s -l")
  rm -rf "$state/loaded" "$state/loading"
  mkdir "$state/loading"
  kernel=$3
  shift 3
  [ "$(dd if="$kernel" bs=1 skip=514 count=4 2>/dev/null)" = HdrS ] || { echo "Cannot determine the file type of $kernel" >&2; exit 255; }
  cp "$kernel" "$state/loading/kernel"
  ls -ld "$kernel" "$(dirname "$kernel")" | cut -c1-10 >"$state/modes"
  for argument; do
    case "$argument" in
    --command-line=*) printf %s "\${argument#--command-line=}" >"$state/loading/cmdline" ;;
    --initrd=*) cp "\${argument#--initrd=}" "$state/loading/initrd" ;;
    *) echo "unknown option $argument" >&2; exit 1 ;;
    esac
  done
  mv "$state/loading" "$state/loaded" ;;
"-s -u") rm -rf "$state/loaded" ;;
"-e ")
  [ -d "$state/loaded" ] || { echo "Nothing has been loaded!" >&2; exit 1; }
  mv "$state/loaded" "$state/started/$(ls "$state/started" | wc -l)" ;;
*) echo "usage" >&2; exit 1 ;;
esac
`;

export class KexecProgram {
  readonly folder = mkdtempSync(join(tmpdir(), "fobnail-kexec-program-"));
  /** Where the program is; the first place of `path`. */
  readonly bin = join(this.folder, "bin");

  constructor() {
    mkdirSync(this.bin);
    mkdirSync(join(this.folder, "started"));
    writeFileSync(join(this.bin, "kexec"), script(this.folder));
    chmodSync(join(this.bin, "kexec"), 0o755);
  }

  get path(): string {
    return [this.bin, process.env["PATH"]].join(delimiter);
  }

  /** The call with these first two arguments fails from now on: "-s-l", "-e". */
  fail(call: string): void {
    writeFileSync(join(this.folder, `fails-${call}`), "");
  }

  /** Each call's arguments, in order. */
  get calls(): readonly string[] {
    const file = join(this.folder, "calls");
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  }

  get isLoaded(): boolean {
    return existsSync(join(this.folder, "loaded"));
  }

  /** Of the file that the last load was given, and of its folder. */
  get modes(): readonly string[] {
    return readFileSync(join(this.folder, "modes"), "utf8").trimEnd().split("\n");
  }

  started(): readonly KexecTarget[] {
    const started = join(this.folder, "started");
    return readdirSync(started)
      .sort()
      .map((name) => {
        const file = (of: string) => join(started, name, of);
        const read = (of: string) => new Uint8Array(readFileSync(file(of)));
        return {
          kernel: read("kernel"),
          initrd: existsSync(file("initrd")) ? read("initrd") : undefined,
          commandLine: readFileSync(file("cmdline"), "utf8"),
        };
      });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
