/** Debian's kernel and those of its modules that are wanted, in the cache folder. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Reader } from "../../../shared/bytes/index.ts";
import { parseBzImage } from "../../dlme/index.ts";
import { Exit, Stop } from "../exit.ts";
import { cacheFolder, findPackages, newestOf, type Package, replaceFolder, type Say } from "./debian.ts";
import { closure, describeModule, type Module, type ModuleSource, moduleName } from "./modules.ts";
import { onPath } from "./programs.ts";
import { run } from "./run.ts";

const META_PACKAGE = "linux-image-amd64";
const PACKAGE_NAME = /linux-image-[0-9][^ _]*-amd64/;

export interface Kernel {
  /** As uname -r. */
  readonly version: string;
  /** The package's file name without its end. */
  readonly packageName: string;
  /** The file that boot loaders take. */
  readonly bzImage: string;
  /** The same unpacked, which PVH starts at once; undefined when that was not possible. */
  readonly vmlinux: string | undefined;
  /** The wanted modules of these names and all that they need, in the order in which they can be loaded. Error for others. */
  modules(names: readonly string[]): readonly Module[];
  moduleFile(module: Module): string;
}

/** The newest kernel that apt knows; without apt, the one of last time. `wanted` are names of modules. */
export async function findKernel(wanted: readonly string[], say: Say): Promise<Kernel> {
  const named = (await newestOf(META_PACKAGE, PACKAGE_NAME)) ?? lastInCache();
  const [found] = await findPackages([named], say);
  if (found === undefined) throw new Error(`no package ${named}`);
  const folder = join(cacheFolder("kernels"), basename(found.file, ".deb"));
  const before = wishesOf(folder);
  if (!wanted.every((name) => before?.includes(name))) {
    say(`Unpacking ${basename(found.file)} ...`);
    await unpack(found, folder, [...new Set([...wanted, ...(before ?? [])])].sort());
  }
  return kernelIn(folder);
}

/** The list that was written last: in the alphabet 6.12.9 stands behind 6.12.48. */
function lastInCache(): string {
  const folder = cacheFolder("lists");
  const last = readdirSync(folder)
    .filter((name) => PACKAGE_NAME.exec(name)?.[0] === name)
    .map((name) => ({ name, writtenAt: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => a.writtenAt - b.writtenAt)
    .at(-1)?.name;
  if (last === undefined)
    throw new Stop(Exit.Unreached, `apt knows no ${META_PACKAGE} (apt-get update?), and the cache holds no kernel`);
  return last;
}

/** The modules that a prepared folder was made for. */
function wishesOf(folder: string): readonly string[] | undefined {
  const file = join(folder, "wishes");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n") : undefined;
}

function kernelIn(folder: string): Kernel {
  const files = new Map(filesBelow(join(folder, "modules")));
  const vmlinux = join(folder, "vmlinux");
  const moduleFile = ({ name }: Module) => files.get(name) ?? "";
  const source = sourceOf(files, join(folder, "modules.builtin"));
  return {
    version: PACKAGE_NAME.exec(basename(folder))?.[0].slice("linux-image-".length) ?? "",
    packageName: basename(folder),
    bzImage: join(folder, "vmlinuz"),
    vmlinux: existsSync(vmlinux) ? vmlinux : undefined,
    modules: (names) => closure(names, source),
    moduleFile,
  };
}

/** Module names and their files. */
function filesBelow(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((path) => {
    const [, name] = /([^/]+)\.ko(\.xz)?$/.exec(path) ?? [];
    return name === undefined ? [] : [[moduleName(name), join(folder, path)]];
  });
}

function sourceOf(files: ReadonlyMap<string, string>, builtin: string): ModuleSource {
  const text = readFileSync(builtin, "utf8");
  const known = new Set([...text.matchAll(/([^/\n]+)\.ko/g)].map(([, name = ""]) => moduleName(name)));
  return {
    find(name) {
      const file = files.get(name);
      return file === undefined ? undefined : describeModule(name, readFileSync(file));
    },
    isBuiltIn: (name) => known.has(name),
  };
}

async function unpack({ file }: Package, folder: string, wanted: readonly string[]): Promise<void> {
  await replaceFolder(folder, async (root) => {
    const all = join(root, "all");
    mkdirSync(all, { recursive: true });
    await run("dpkg-deb", ["-x", file, all]);
    await collectModules(all, root, wanted);
    await takeImage(join(all, "boot"), root);
    rmSync(all, { recursive: true });
    writeFileSync(join(root, "wishes"), wanted.join("\n"));
  });
}

async function collectModules(all: string, into: string, wanted: readonly string[]): Promise<void> {
  const files = new Map(filesBelow(all));
  if ([...files.values()].some((name) => name.endsWith(".xz"))) {
    await run("find", [all, "-name", "*.ko.xz", "-exec", "xz", "--decompress", "{}", "+"]);
    for (const [name, file] of files) files.set(name, file.replace(/\.xz$/, ""));
  }
  const builtin = readdirSync(all, { recursive: true, encoding: "utf8" }).find((name) =>
    /\/modules\.builtin$/.test(name),
  );
  if (builtin === undefined) throw new Error("the package has no modules.builtin");
  renameSync(join(all, builtin), join(into, "modules.builtin"));
  mkdirSync(join(into, "modules"));
  for (const { name } of closure(wanted, sourceOf(files, join(into, "modules.builtin")))) {
    renameSync(files.get(name) ?? "", join(into, "modules", `${name}.ko`));
  }
}

async function takeImage(boot: string, into: string): Promise<void> {
  const name = readdirSync(boot).find((one) => one.startsWith("vmlinuz-"));
  if (name === undefined) throw new Error("the package has no vmlinuz");
  renameSync(join(boot, name), join(into, "vmlinuz"));
  const payload = payloadOf(readFileSync(join(into, "vmlinuz")));
  if (!onPath("xz") || !isXz(payload)) return;
  const packed = join(into, "vmlinux.xz");
  writeFileSync(packed, payload);
  await run("xz", ["--decompress", packed]);
}

const isXz = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 6)).toString("hex") === "fd377a585a00";

const SIZE_BEHIND_PAYLOAD_BYTES = 4;

/** The compressed kernel proper. CodecError for a file that is no bzImage. */
function payloadOf(bzImage: Uint8Array): Uint8Array {
  const { header, protectedMode } = parseBzImage(bzImage);
  const from = new Reader(protectedMode);
  from.bytes(header.payload_offset);
  return from.bytes(header.payload_length - SIZE_BEHIND_PAYLOAD_BYTES);
}
