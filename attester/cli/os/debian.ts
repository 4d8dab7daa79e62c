/** Debian's packages: downloaded by apt and unpacked into a cache folder. Nothing is installed, and no root is needed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { makeFolder } from "../../../hw/files/index.ts";
import { Exit, Stop } from "../exit.ts";
import { run } from "./run.ts";

export interface Package {
  readonly name: string;
  /** The downloaded file. Its name has the version. */
  readonly file: string;
}

export type Say = (line: string) => void;

export function cachePath(...names: readonly string[]): string {
  const base = process.env["XDG_CACHE_HOME"];
  const cache = base === undefined || base === "" ? join(homedir(), ".cache") : base;
  return join(cache, "fobnail", "debian", ...names);
}

/** The same, made where it is missing. */
export function cacheFolder(...names: readonly string[]): string {
  const folder = cachePath(...names);
  madeFolder(folder);
  return folder;
}

/** Stops when it cannot be made. */
export function madeFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new Stop(Exit.Usage, `${folder} cannot be made: ${String(why)}`, { cause });
  }
}

const nameOf = (file: string) => basename(file).split("_")[0] ?? "";

/**
 * These packages, and the libraries that they depend on, in the versions that apt has now; without apt, those of last time. Stops when a
 * package is not to be had.
 */
export async function findPackages(roots: readonly string[], say: Say): Promise<readonly Package[]> {
  const list = join(cacheFolder("lists"), [...roots].sort().join(" "));
  const folder = cacheFolder("debs");
  const names = await newestFiles(roots);
  const wanted = names ?? lastTime(list, roots);
  const missing = wanted.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) await download(missing.map(nameOf), folder, say);
  if (names !== undefined) writeFileSync(list, names.join("\n"));
  return wanted.map((name) => ({ name: nameOf(name), file: join(folder, name) }));
}

/** The package that a meta package stands for, by the pattern of its name; undefined when apt does not know. */
export async function newestOf(meta: string, pattern: RegExp): Promise<string | undefined> {
  try {
    return pattern.exec((await run("apt-cache", ["depends", meta])).toString())?.[0];
  } catch {
    return undefined; // no apt here, or no list of packages
  }
}

function lastTime(list: string, roots: readonly string[]): readonly string[] {
  if (existsSync(list)) return readFileSync(list, "utf8").split("\n");
  throw new Stop(
    Exit.Unreached,
    `apt knows no packages ${roots.join(", ")} (apt-get update?), and the cache does not hold them`,
  );
}

/** The names of the files that apt would download; undefined where apt is missing or has no lists. */
async function newestFiles(roots: readonly string[]): Promise<readonly string[] | undefined> {
  try {
    const tree = await run("apt-cache", ["depends", "--recurse", "--no-recommends", "--no-suggests", ...roots]);
    const names = withLibraries(roots, parseDepends(tree.toString()));
    const uris = await run("apt-get", ["download", "--print-uris", "-q", ...names]);
    return uris
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .sort(); // 'URI' FILE SIZE HASH
  } catch {
    return undefined;
  }
}

/** What each package depends on, out of what `apt-cache depends --recurse` prints. */
export function parseDepends(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let of: string[] = [];
  for (const line of text.split("\n")) {
    const [, relation, name = ""] = /^[ |]+(\w+): (\S+)$/.exec(line) ?? [];
    if (relation === "Depends" || relation === "PreDepends") of.push(name);
    else if (/^[a-z0-9]/.test(line)) {
      of = [];
      found.set(line.trim(), of);
    }
  }
  return found;
}

/** Programs that a package's scripts need at an installation are left out: nothing is installed. */
export function withLibraries(
  roots: readonly string[],
  depends: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const all = new Set<string>();
  const add = (name: string) => {
    if (all.has(name)) return;
    all.add(name);
    for (const other of depends.get(name) ?? []) if (other.startsWith("lib")) add(other);
  };
  for (const root of roots) add(root);
  return [...all].sort();
}

async function download(names: readonly string[], folder: string, say: Say): Promise<void> {
  say(`Downloading ${names.join(" ")} (once) into ${folder} ...`);
  await withWorkFolder(async (work) => {
    await run("apt-get", ["download", "-q", ...names], work).catch((cause) => {
      throw new Stop(Exit.Unreached, cause instanceof Error ? cause.message : String(cause), { cause });
    });
    for (const name of readdirSync(work)) renameSync(join(work, name), join(folder, name));
  });
}

/** A folder of the cache that is there as a whole or not at all: `make` fills another one, which gets the name last. */
export function replaceFolder(folder: string, make: (root: string) => Promise<void>): Promise<void> {
  return withWorkFolder(async (work) => {
    const root = join(work, "root");
    await make(root);
    rmSync(folder, { recursive: true, force: true });
    renameSync(root, folder);
  });
}

async function withWorkFolder(use: (work: string) => Promise<void>): Promise<void> {
  const work = mkdtempSync(join(cacheFolder(), "work-"));
  try {
    await use(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The package's files, in a folder of the cache. */
export async function unpacked({ file }: Package): Promise<string> {
  const folder = join(cacheFolder("unpacked"), basename(file, ".deb"));
  if (!existsSync(folder)) {
    await replaceFolder(folder, async (root) => {
      await run("dpkg-deb", ["-x", file, root]);
    });
  }
  return folder;
}
