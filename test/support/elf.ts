/** Small ELF files with nothing but sections, for what reads them. */
import { concat, encode, struct, u16le, u32le, u64le, utf8 } from "../../shared/bytes/index.ts";

const HEADER_BYTES = 64;

const Header = struct("Elf64_Ehdr", {
  start: u64le, // 7F "ELF", 64 bits, little-endian, version 1
  padding: u64le,
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
  shentsize: u16le,
  shnum: u16le,
  shstrndx: u16le,
});

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

const Dynamic = struct("Elf64_Dyn", { tag: u64le, value: u64le });

const SHT_PROGBITS = 1;

/** The section table comes last, as linkers have it. */
export function elfFile(sections: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const named = Object.entries(sections);
  const names = concat(...["", ...named.map(([name]) => name), ".shstrtab"].map((name) => utf8(`${name}\0`)));
  const all: [string, Uint8Array][] = [...named, [".shstrtab", names]];
  const [headers, nameAt, at] = [[section(0, 0, 0, 0)], { value: 1 }, { value: HEADER_BYTES }];
  for (const [name, bytes] of all) {
    headers.push(section(nameAt.value, SHT_PROGBITS, at.value, bytes.byteLength));
    nameAt.value += name.length + 1;
    at.value += bytes.byteLength;
  }
  const header = encode(Header, {
    ...{ start: 0x00010102464c457fn, padding: 0n, type: 1, machine: 62, version: 1, entry: 0n, phoff: 0n },
    ...{ shoff: BigInt(at.value), flags: 0, ehsize: HEADER_BYTES, phentsize: 0, phnum: 0, shentsize: 64 },
    ...{ shnum: headers.length, shstrndx: headers.length - 1 },
  });
  return concat(header, ...all.map(([, bytes]) => bytes), ...headers);
}

function section(name: number, type: number, offset: number, size: number): Uint8Array {
  return encode(SectionHeader, {
    ...{ name, type, flags: 0n, addr: 0n, offset: BigInt(offset), size: BigInt(size) },
    ...{ link: 0, info: 0, addralign: 1n, entsize: 0n },
  });
}

/** A program that needs these libraries. */
export function elfProgram(...libraries: readonly string[]): Uint8Array {
  const names = concat(utf8("\0"), ...libraries.map((name) => utf8(`${name}\0`)));
  let at = 1;
  const dynamic = libraries.map((name) => {
    const entry = encode(Dynamic, { tag: 1n, value: BigInt(at) });
    at += name.length + 1;
    return entry;
  });
  return elfFile({ ".dynstr": names, ".dynamic": concat(...dynamic, encode(Dynamic, { tag: 0n, value: 0n })) });
}

/** A kernel module that says this of itself. */
export function elfModule(...info: readonly string[]): Uint8Array {
  return elfFile({ ".modinfo": utf8(info.map((line) => `${line}\0`).join("")) });
}
