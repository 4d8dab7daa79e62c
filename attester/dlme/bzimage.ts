import {
  CodecError,
  concat,
  constant,
  encode,
  type Infer,
  inField,
  Reader,
  struct,
  u8,
  u16le,
  u32le,
  u64le,
} from "../../shared/bytes/index.ts";

/** The Linux/x86 boot protocol (Documentation/arch/x86/boot.rst of the kernel), as far as a measured launch looks into a bzImage. */

const HEADER_AT = 0x1f1;
const SECTOR_BYTES = 512;
const PARAGRAPH_BYTES = 16;
/** What setup_sects 0 stands for, "The Real-Mode Kernel Header". */
const DEFAULT_SETUP_SECTORS = 4;
/** 2.12: every field below is there. Linux 3.8 and newer. */
const MIN_VERSION = 0x020c;
const MAX_KERNEL_BYTES = 256 << 20;
/** From here the byte at 0x201 counts to the header's end: "32-bit Boot Protocol". */
const HEADER_LENGTH_FROM = 0x202;
/** Where struct boot_params has no more room for the header. */
export const HEADER_LIMIT = 0x290;
/** Where handover_offset, the last of the fields below, ends. */
export const FIELDS_END = 0x268;

/** "The Real-Mode Kernel Header", from offset 0x1F1; the names are the kernel's. */
export const SetupHeader = struct("setup_header", {
  setup_sects: u8,
  root_flags: u16le,
  syssize: u32le,
  ram_size: u16le,
  vid_mode: u16le,
  root_dev: u16le,
  boot_flag: constant(u16le, 0xaa55),
  jump: u16le,
  header: constant(u32le, 0x53726448), // "HdrS"
  version: u16le,
  realmode_swtch: u32le,
  start_sys_seg: u16le,
  kernel_version: u16le,
  type_of_loader: u8,
  loadflags: u8,
  setup_move_size: u16le,
  code32_start: u32le,
  ramdisk_image: u32le,
  ramdisk_size: u32le,
  bootsect_kludge: u32le,
  heap_end_ptr: u16le,
  ext_loader_ver: u8,
  ext_loader_type: u8,
  cmd_line_ptr: u32le,
  initrd_addr_max: u32le,
  kernel_alignment: u32le,
  relocatable_kernel: u8,
  min_alignment: u8,
  xloadflags: u16le,
  cmdline_size: u32le,
  hardware_subarch: u32le,
  hardware_subarch_data: u64le,
  payload_offset: u32le,
  payload_length: u32le,
  setup_data: u64le,
  pref_address: u64le,
  init_size: u32le,
  handover_offset: u32le,
});
export type SetupHeader = Infer<typeof SetupHeader>;

export interface BzImage {
  readonly header: SetupHeader;
  /** What newer protocols have behind handover_offset, up to the end that the header names. */
  readonly headerTail: Uint8Array;
  /** What the loader measures: syssize paragraphs behind the setup sectors. */
  readonly protectedMode: Uint8Array;
}

/** CodecError when the file is no bzImage of protocol 2.12 or newer, or is shorter than its header says. */
export function parseBzImage(file: Uint8Array): BzImage {
  return inField("bzImage", () => {
    const reader = new Reader(file);
    if (file.byteLength > MAX_KERNEL_BYTES) reader.fail(`more than ${MAX_KERNEL_BYTES} bytes`);
    reader.bytes(HEADER_AT);
    const header = SetupHeader.read(reader);
    if (header.version < MIN_VERSION) {
      throw new CodecError(
        `boot protocol 0x${header.version.toString(16)} is older than 2.12`,
        "setup_header.version",
        0x206,
      );
    }
    const headerTail = inField("setup_header", () => reader.bytes(tailBytes(header)));
    const body = new Reader(file);
    body.bytes(((header.setup_sects || DEFAULT_SETUP_SECTORS) + 1) * SECTOR_BYTES);
    if (header.syssize === 0) throw new CodecError("no kernel behind the setup sectors", "setup_header.syssize", 0x1f4);
    const protectedMode = inField("syssize", () => body.bytes(header.syssize * PARAGRAPH_BYTES));
    return { header, headerTail, protectedMode };
  });
}

/** The jump at the file's start goes behind the header: its second byte is the distance. */
function tailBytes({ jump }: SetupHeader): number {
  const end = HEADER_LENGTH_FROM + (jump >> 8);
  if (end >= FIELDS_END && end <= HEADER_LIMIT) return end - FIELDS_END;
  throw new CodecError(`the header cannot end at 0x${end.toString(16)}`, "setup_header.jump", 0x201);
}

/** A file that parseBzImage takes; the setup sectors hold nothing but the header. */
export function buildBzImage(header: Omit<SetupHeader, "syssize">, protectedMode: Uint8Array): Uint8Array {
  const syssize = Math.ceil(protectedMode.byteLength / PARAGRAPH_BYTES);
  const setupBytes = ((header.setup_sects || DEFAULT_SETUP_SECTORS) + 1) * SECTOR_BYTES;
  return concat(
    placed(encode(SetupHeader, { ...header, syssize }), HEADER_AT, setupBytes),
    placed(protectedMode, 0, syssize * PARAGRAPH_BYTES),
  );
}

/** `bytes` at an offset of a block of zeros. */
function placed(bytes: Uint8Array, at: number, size: number): Uint8Array {
  const block = new Uint8Array(size);
  block.set(bytes, at);
  return block;
}
