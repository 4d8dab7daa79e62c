/** Shared libraries: which files a program needs to start. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Exit, Stop } from "../exit.ts";
import { neededLibraries } from "./elf.ts";

/** Where libraries lie below a root, Debian's place first. */
const FOLDERS = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64", "lib", "usr/lib"];

/**
 * The libraries of these programs, by their names, with what those need in their turn; each from the first of `roots` that has it. Stops
 * when none has.
 */
export function librariesOf(programs: readonly string[], roots: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const waiting = [...programs];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const name of neededLibraries(readFileSync(file))) {
      if (found.has(name)) continue;
      const library = find(name, roots);
      if (library === undefined)
        throw new Stop(Exit.Unreached, `${basename(file)} needs ${name}, which is not to be found`);
      found.set(name, library);
      waiting.push(library);
    }
  }
  return found;
}

function find(name: string, roots: readonly string[]): string | undefined {
  return roots.flatMap((root) => FOLDERS.map((folder) => join(root, folder, name))).find((file) => existsSync(file));
}
