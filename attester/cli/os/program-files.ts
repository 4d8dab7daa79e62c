/** The attester's own files: what the build made, and the packages that it loads. */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { Exit, Stop } from "../exit.ts";
import type { ArchiveEntry } from "./cpio.ts";

/** Loaded only for sticks and interfaces without the kernel's driver, which the image has; and an accelerator of machine code. */
const LEFT_OUT = ["usb", "koffi", "cbor-extract"];
/** For people and compilers. */
const NOT_RUN = /\.(?:[cm]?ts|map|md|markdown|tsbuildinfo)$/;

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

export interface ProgramSources {
  /** Has package.json and node_modules. */
  readonly packageFolder: string;
  /** What the build made: fobnail.js, the other programs, and what they share. */
  readonly built: string;
}

/** Stops when there is no build. Below `to`: package.json, the build as dist, and node_modules with what is needed at run time. */
export function programFiles({ packageFolder, built }: ProgramSources, to: string): readonly ArchiveEntry[] {
  if (!existsSync(join(built, "fobnail.js"))) throw new Stop(Exit.Usage, `${built} holds no build (npm run build)`);
  return [
    file(join(packageFolder, "package.json"), `${to}/package.json`),
    ...folder(built, `${to}/dist`),
    ...[...runtimePackages(packageFolder)].flatMap(([name, from]) => folder(from, `${to}/${name}`)),
  ];
}

/** Where each package that is loaded at run time lies in the image (`node_modules/NAME`, nested ones too), and where it is here. */
export function runtimePackages(packageFolder: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const add = (from: string, place: string, name: string, must: boolean): void => {
    if (LEFT_OUT.includes(name)) return;
    const at = locate(packageFolder, place, name);
    if (at === undefined) {
      if (must) throw new Stop(Exit.Usage, `${from} needs the package ${name}, which is not installed (npm ci)`);
      return;
    }
    if (found.has(at)) return;
    const folder = realpathSync(join(packageFolder, at));
    found.set(at, folder);
    const { dependencies = {}, optionalDependencies = {} } = manifestOf(folder);
    for (const other of Object.keys(dependencies)) add(name, at, other, !Object.hasOwn(optionalDependencies, other));
    for (const other of Object.keys(optionalDependencies)) add(name, at, other, false);
  };
  for (const name of Object.keys(manifestOf(packageFolder).dependencies ?? {})) add("fobnail", "", name, true);
  return found;
}

/** As Node looks for a package: beside what asks for it, then above. */
function locate(packageFolder: string, place: string, name: string): string | undefined {
  for (let above = place; ; above = dirname(above)) {
    const at = join(above, "node_modules", name);
    if (existsSync(join(packageFolder, at, "package.json"))) return at;
    if (above === "" || above === ".") return undefined;
  }
}

function folder(from: string, to: string): readonly ArchiveEntry[] {
  return readdirSync(from, { withFileTypes: true }).flatMap((entry): readonly ArchiveEntry[] => {
    const [source, target] = [join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : folder(source, target);
    return entry.isFile() && !NOT_RUN.test(entry.name) ? [file(source, target)] : [];
  });
}

function file(from: string, path: string): ArchiveEntry {
  return { kind: "file", path, data: readFileSync(from) };
}
