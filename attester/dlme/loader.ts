import { CodecError, inField, Reader, struct, u16le } from "../../shared/bytes/index.ts";

/** Secure Loader image: AMD64 Architecture Programmer's Manual, volume 2, 15.27.1. */
const SecureLoaderHeader = struct("SL header", { entryPoint: u16le, length: u16le });
const HEADER_BYTES = 4;

export interface SecureLoader {
  /** What SKINIT hashes: from the header, which is part of it, to the length that it names. */
  readonly measured: Uint8Array;
  /** What lies behind: the area where the boot loader leaves its data tags. */
  readonly data: Uint8Array;
}

/** CodecError when the file is shorter than its header says, or the length does not hold the header. */
export function parseSecureLoader(file: Uint8Array): SecureLoader {
  return inField("loader", () => {
    const { entryPoint, length } = SecureLoaderHeader.read(new Reader(file));
    if (length < HEADER_BYTES) throw new CodecError(`length ${length} does not hold the header`, "SL header.length", 2);
    if (entryPoint >= length)
      throw new CodecError(`entry point ${entryPoint} behind the image`, "SL header.entryPoint", 0);
    const reader = new Reader(file);
    return { measured: reader.bytes(length), data: reader.rest() };
  });
}
