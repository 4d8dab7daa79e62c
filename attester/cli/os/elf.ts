/** As much of ELF (System V ABI, chapters 4 and 5; 64 bits, little-endian) as tells what a program or a kernel module needs. */
import {
  CodecError,
  constant,
  decode,
  fixed,
  inField,
  Reader,
  struct,
  u8,
  u16le,
  u32be,
  u32le,
  u64le,
} from "../../../shared/bytes/index.ts";

const ELF_MAGIC = 0x7f454c46;
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const NO_BITS = 8;
const DT_NEEDED = 1n;
const MAX_SECTIONS = 4_096;

/** Elf64_Ehdr. */
const Header = struct("Elf64_Ehdr", {
  magic: constant(u32be, ELF_MAGIC),
  class: constant(u8, 2),
  data: constant(u8, 1),
  ident: fixed(10),
  type: u16le,
  machine: u16le,
  version: u32le,
  entry: u64le,
  phoff: u64le,
  shoff: u64le,
  flags: u32le,
  ehsize: u16le,
  phentsize: u16le,
  phnum: u16le,
  shentsize: constant(u16le, SECTION_BYTES),
  shnum: u16le,
  shstrndx: u16le,
});

/** Elf64_Shdr. */
const SectionHeader = struct("Elf64_Shdr", {
  name: u32le,
  type: u32le,
  flags: u64le,
  addr: u64le,
  offset: u64le,
  size: u64le,
  link: u32le,
  info: u32le,
  addralign: u64le,
  entsize: u64le,
});

/** Elf64_Dyn. */
const Dynamic = struct("Elf64_Dyn", { tag: u64le, value: u64le });
const DYNAMIC_BYTES = 16;

type Sections = ReadonlyMap<string, Uint8Array>;

/** Names and bytes of the sections; of several with one name, the last. CodecError when the file is no such ELF file, or is cut. */
function sections(file: Uint8Array): Sections {
  return inField("ELF", () => {
    const { shoff, shnum, shstrndx } = decode(Header, file.subarray(0, HEADER_BYTES));
    if (shnum > MAX_SECTIONS) throw new CodecError(`more than ${MAX_SECTIONS} sections`, "Elf64_Ehdr.shnum", 60);
    const table = slice(file, shoff, BigInt(shnum * SECTION_BYTES));
    const headers = Array.from({ length: shnum }, (_, i) =>
      decode(SectionHeader, table.subarray(i * SECTION_BYTES, (i + 1) * SECTION_BYTES)),
    );
    const bytesOf = ({ type, offset, size }: (typeof headers)[number]) =>
      type === NO_BITS ? new Uint8Array() : slice(file, offset, size);
    const named = headers[shstrndx];
    if (named === undefined) throw new CodecError("there is no section of names", "Elf64_Ehdr.shstrndx", 62);
    const names = bytesOf(named);
    return new Map(headers.map((header) => [text(names, header.name), bytesOf(header)]));
  });
}

/** The shared libraries that a program or library names itself; none when it is static. CodecError as `sections`. */
export function neededLibraries(file: Uint8Array): readonly string[] {
  const all = sections(file);
  const names = all.get(".dynstr");
  const dynamic = all.get(".dynamic");
  if (names === undefined || dynamic === undefined) return [];
  const count = Math.floor(dynamic.byteLength / DYNAMIC_BYTES);
  const entries = Array.from({ length: count }, (_, i) =>
    decode(Dynamic, dynamic.subarray(i * DYNAMIC_BYTES, (i + 1) * DYNAMIC_BYTES)),
  );
  return entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(names, Number(value)));
}

/** What a kernel module says of itself: `key=value`, in its order. CodecError as `sections`, and when it says nothing. */
export function moduleInfo(file: Uint8Array): readonly (readonly [key: string, value: string])[] {
  const info = sections(file).get(".modinfo");
  if (info === undefined) throw new CodecError("no section .modinfo: no kernel module", "ELF", 0);
  const lines = Buffer.from(info).toString().split("\0");
  return lines.flatMap((line) => {
    const at = line.indexOf("=");
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
}

/** Offsets and sizes of the file are unsigned 64-bit numbers, and lie. */
function slice(file: Uint8Array, offset: bigint, size: bigint): Uint8Array {
  const length = BigInt(file.byteLength);
  if (offset > length || size > length - offset)
    throw new CodecError(`${size} bytes at ${offset} do not lie in the file`, "section", Number(length));
  return file.subarray(Number(offset), Number(offset + size));
}

/** Up to the NUL. */
function text(names: Uint8Array, at: number): string {
  const reader = new Reader(names);
  reader.bytes(at);
  const from = reader.rest();
  const end = from.indexOf(0);
  if (end < 0) throw new CodecError("a name without its end", "names", at);
  return Buffer.from(from.subarray(0, end)).toString();
}
