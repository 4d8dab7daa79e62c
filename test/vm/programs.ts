import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Administrators' programs are not on everybody's PATH. */
const MORE_FOLDERS = ["/usr/sbin", "/sbin"];

/** Where a program is; undefined when it is not installed. */
export function programFile(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...MORE_FOLDERS];
  return folders
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false; // not in this folder
      }
    });
}

export const onPath = (program: string): boolean => programFile(program) !== undefined;

/** What the machine needs, and the Debian package that has it. */
const NEEDED: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  cpio: "cpio",
  "dpkg-deb": "dpkg",
  swtpm: "swtpm",
};

/** The packages that are missing for the virtual machine to start. */
export function missingPackages(): readonly string[] {
  return Object.entries(NEEDED).flatMap(([program, name]) => (onPath(program) ? [] : [name]));
}
