import {
  type Codec,
  CodecError,
  constant,
  decode,
  encode,
  equal,
  fixed,
  rest,
  struct,
  u16be,
  utf8,
} from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";

const MAGIC_BYTES = 8;
const CHECKSUM_BYTES = 32;
const CHECKSUM_AT = MAGIC_BYTES + 2;

export interface CheckedFile<T> {
  encode(value: T): Uint8Array;
  /** Throws CodecError for anything but what `encode` of this version made. */
  decode(bytes: Uint8Array): T;
}

/** A file of the emulator's: magic of 8 characters, version, SHA-256 of the body, body. */
export function checkedFile<T>(name: string, magic: string, version: number, body: Codec<T>): CheckedFile<T> {
  const expected = utf8(magic);
  const File = struct(name, {
    magic: fixed(MAGIC_BYTES),
    version: constant(u16be, version),
    checksum: fixed(CHECKSUM_BYTES),
    body: rest,
  });
  return {
    encode(value) {
      const bytes = encode(body, value);
      return encode(File, { magic: expected, version, checksum: digest("sha256", bytes), body: bytes });
    },
    decode(bytes) {
      const file = decode(File, bytes);
      if (!equal(file.magic, expected)) throw new CodecError(`is no ${name}`, `${name}.magic`, 0);
      if (!equal(file.checksum, digest("sha256", file.body)))
        throw new CodecError("does not fit the content", `${name}.checksum`, CHECKSUM_AT);
      return decode(body, file.body, name);
    },
  };
}
