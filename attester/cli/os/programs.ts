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
