/**
 * The archive that Linux unpacks as its first file system: cpio "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). The
 * bytes depend on what is in it alone: entries are sorted, belong to root and have no time.
 */
import { concat, utf8 } from "../../../shared/bytes/index.ts";

export type ArchiveEntry =
  | { readonly kind: "file"; readonly path: string; readonly data: Uint8Array; readonly executable?: boolean }
  | { readonly kind: "link"; readonly path: string; readonly to: string }
  | { readonly kind: "folder"; readonly path: string };

const MAGIC = "070701";
const ALIGNMENT = 4;
const TRAILER = "TRAILER!!!";
const MAX_FILE_BYTES = 0xffff_ffff;
/** Names are at most PATH_MAX for the kernel, their NUL among it. */
const MAX_NAME_BYTES = 4_095;

/** Type and permissions, as of stat(2). */
const Mode = { folder: 0o040755, file: 0o100644, program: 0o100755, link: 0o120777 } as const;

/**
 * The whole archive, in pieces. Paths are relative, without `.` and `..`; folders above an entry come by themselves. RangeError for
 * other paths, for two entries of one path, and for what a newc archive cannot hold.
 */
export function archive(entries: readonly ArchiveEntry[]): readonly Uint8Array[] {
  const all = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    checkPath(entry.path);
    const before = all.get(entry.path);
    if (before !== undefined && !(before.kind === "folder" && entry.kind === "folder"))
      throw new RangeError(`two entries are named ${entry.path}`);
    all.set(entry.path, entry);
  }
  for (const { path } of entries) {
    for (const folder of foldersAbove(path)) {
      const there = all.get(folder);
      if (there === undefined) all.set(folder, { kind: "folder", path: folder });
      else if (there.kind !== "folder") throw new RangeError(`${path} lies below ${folder}, which is no folder`);
    }
  }
  const sorted = [...all.values()].sort((a, b) => Buffer.compare(utf8(a.path), utf8(b.path)));
  return [...sorted.flatMap((entry, i) => member(entry, i + 1)), ...header(TRAILER, 0, 0, 1, 0)];
}

function member(entry: ArchiveEntry, inode: number): readonly Uint8Array[] {
  switch (entry.kind) {
    case "folder":
      return header(entry.path, inode, Mode.folder, 2, 0);
    case "link": {
      const to = utf8(entry.to);
      return [...header(entry.path, inode, Mode.link, 1, to.byteLength), to, padding(to.byteLength)];
    }
    case "file": {
      const { data, executable } = entry;
      if (data.byteLength > MAX_FILE_BYTES) throw new RangeError(`${entry.path} has more than 4 GiB`);
      const mode = executable === true ? Mode.program : Mode.file;
      return [...header(entry.path, inode, mode, 1, data.byteLength), data, padding(data.byteLength)];
    }
  }
}

/** Thirteen numbers of eight hexadecimal digits each, then the name. */
function header(path: string, inode: number, mode: number, links: number, size: number): readonly Uint8Array[] {
  const name = concat(utf8(path), Uint8Array.of(0));
  const [root, time, device, checksum] = [0, 0, 0, 0];
  const fields = [
    ...[inode, mode, root, root, links, time, size],
    ...[device, device, device, device, name.byteLength, checksum],
  ];
  const start = utf8(MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join(""));
  return [start, name, padding(start.byteLength + name.byteLength)];
}

function padding(size: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT);
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const odd = path.includes("\0") || parts.some((part) => part === "" || part === "." || part === "..");
  if (odd || utf8(path).byteLength > MAX_NAME_BYTES || path === TRAILER) throw new RangeError(`no path: ${path}`);
}

function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}
