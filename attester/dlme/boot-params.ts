import { CodecError, encode, fixed, struct, u8, u32le, u64le } from "../../shared/bytes/index.ts";
import { type BzImage, FIELDS_END, HEADER_LIMIT, SetupHeader } from "./bzimage.ts";

/** What a boot loader hands to the kernel, and the kernel's stub measures: Documentation/arch/x86/zero-page.rst, boot.rst. */

export const BOOT_PARAMS_BYTES = 4096;
/** E820_MAX_ENTRIES_ZEROPAGE. */
const MAX_E820_ENTRIES = 128;
const MAX_COMMAND_LINE_BYTES = 1 << 16;

const E820Entry = struct("boot_e820_entry", { addr: u64le, size: u64le, type: u32le });
const E820_ENTRY_BYTES = 20;
const E820_USABLE = 1;
const E820_RESERVED = 2;

/** struct boot_params; what no field is named for is zero here. The header's place is the same as in the file. */
const BootParams = struct("boot_params", {
  before: fixed(0x1e8),
  e820_entries: u8,
  between: fixed(8),
  hdr: SetupHeader,
  hdr_tail: fixed(HEADER_LIMIT - FIELDS_END),
  edd_mbr_sig_buffer: fixed(0x40),
  e820_table: fixed(MAX_E820_ENTRIES * E820_ENTRY_BYTES),
  after: fixed(0x330),
});

/** Memory of the simulated machine, 2 GiB: low memory, the BIOS, and what the firmware keeps for itself at the top. */
const MEMORY = [
  { addr: 0n, size: 0x9fc00n, type: E820_USABLE },
  { addr: 0x9fc00n, size: 0x400n, type: E820_RESERVED },
  { addr: 0xf0000n, size: 0x10000n, type: E820_RESERVED },
  { addr: 0x100000n, size: 0x7fee0000n, type: E820_USABLE },
  { addr: 0x7ffe0000n, size: 0x20000n, type: E820_RESERVED },
];
const TOP_OF_MEMORY = 0x7ffe0000;
/** Below it lie the kernel and, unpacked, what it needs to start. */
const LOWEST_INITRD = 0x2000000;
/** Low memory behind the setup heap, where the boot protocol wants it. */
const COMMAND_LINE_AT = 0x20000;
/** type_of_loader of a boot loader without a number of its own. */
const UNKNOWN_LOADER = 0xff;
const PAGE_BYTES = 4096;

/**
 * struct boot_params of the simulated machine: the header of the file, the loader's fields filled in, the memory map. `initrdBytes` is 0
 * without one. CodecError when the initrd finds no room.
 */
export function bootParams({ header, headerTail }: BzImage, initrdBytes: number): Uint8Array {
  const hdr = {
    ...header,
    type_of_loader: UNKNOWN_LOADER,
    ramdisk_image: initrdBytes === 0 ? 0 : initrdAddress(header, initrdBytes),
    ramdisk_size: initrdBytes,
    cmd_line_ptr: COMMAND_LINE_AT,
  };
  return encode(BootParams, {
    before: new Uint8Array(0x1e8),
    e820_entries: MEMORY.length,
    between: new Uint8Array(8),
    hdr,
    hdr_tail: filledUp([headerTail], HEADER_LIMIT - FIELDS_END),
    edd_mbr_sig_buffer: new Uint8Array(0x40),
    e820_table: filledUp(
      MEMORY.map((entry) => encode(E820Entry, entry)),
      MAX_E820_ENTRIES * E820_ENTRY_BYTES,
    ),
    after: new Uint8Array(0x330),
  });
}

/** As high as the kernel takes it, at the start of a page. */
function initrdAddress({ initrd_addr_max }: SetupHeader, bytes: number): number {
  const at = Math.min(initrd_addr_max + 1, TOP_OF_MEMORY) - bytes;
  const aligned = at - (at % PAGE_BYTES);
  if (aligned < LOWEST_INITRD) throw new CodecError(`${bytes} bytes find no room in the memory`, "initrd", 0);
  return aligned;
}

/**
 * The command line as the kernel's stub measures it: cmdline_size bytes, not up to the NUL; behind the text is what the loader left there,
 * here zeros. CodecError when it does not fit.
 */
export function commandLineArea({ cmdline_size }: SetupHeader, commandLine: Uint8Array): Uint8Array {
  if (cmdline_size > MAX_COMMAND_LINE_BYTES)
    throw new CodecError(`more than ${MAX_COMMAND_LINE_BYTES}`, "bzImage.setup_header.cmdline_size", 0x238);
  if (commandLine.byteLength > cmdline_size) {
    throw new CodecError(`${commandLine.byteLength} bytes, this kernel takes ${cmdline_size}`, "command line", 0);
  }
  if (commandLine.includes(0)) throw new CodecError("a NUL would end it", "command line", commandLine.indexOf(0));
  return filledUp([commandLine], cmdline_size);
}

/** The parts, one behind the other, and zeros up to `size`. */
function filledUp(parts: readonly Uint8Array[], size: number): Uint8Array {
  const block = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    block.set(part, at);
    at += part.byteLength;
  }
  return block;
}
