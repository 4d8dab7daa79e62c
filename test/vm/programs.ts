import { onPath } from "../../attester/cli/os/programs.ts";

/** What the machine needs, and the Debian package that has it. */
const NEEDED: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "dpkg-deb": "dpkg",
  mke2fs: "e2fsprogs",
  swtpm: "swtpm",
};

/** The packages that are missing for the virtual machine to start. */
export function missingPackages(): readonly string[] {
  return Object.entries(NEEDED).flatMap(([program, name]) => (onPath(program) ? [] : [name]));
}
