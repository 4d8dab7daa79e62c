import { encodeItem } from "../../shared/cbor/index.ts";
import { TpmAlg } from "../../shared/tpm/index.ts";
import { itemOf, type Plain } from "./client.ts";

/** Reference values as rows want them, right or not. */

const { SHA1, SHA256, SHA384, SHA512 } = TpmAlg;
const ALL = 0xff_ffff;
/** Of hashes that nobody knows. */
const [UNKNOWN, UNKNOWN_TOO, UNKNOWN_AS_WELL] = [0xfffd, 0xfffe, 0xffff];
const DIGEST_BYTES = 64;
/** From this length on CBOR says how long a byte string is in two bytes: RFC 8949, section 3. */
const TWO_BYTE_LENGTH = 24;

/** Digests of which no two are alike. */
export const digests = (count: number, size = 32): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(size).fill(i + 1));
export const bank = (algo_id: number, pcrs: number, pcr: readonly Uint8Array[]) => ({ algo_id, pcrs, pcr });
export const encoded = (value: Plain): Uint8Array => encodeItem(itemOf(value));
export const rim = (...banks: readonly Plain[]): Uint8Array => encoded({ update_ctr: 7, banks });

const FOUR = [
  bank(SHA1, ALL, digests(24, 20)),
  bank(SHA256, ALL, digests(24)),
  bank(SHA384, ALL, digests(24, 48)),
  bank(SHA512, ALL, digests(24, 64)),
];
export const FOUR_BANKS = rim(...FOUR);

/** Right ones of exactly so many bytes, near the protocol's 6000: banks of unknown hashes fill up what the known ones leave. */
export function rimOfBytes(bytes: number): Uint8Array {
  const filled = (lastSize: number) =>
    rim(
      ...FOUR,
      bank(UNKNOWN, ALL, digests(24, DIGEST_BYTES)),
      bank(UNKNOWN_TOO, 1, digests(1, DIGEST_BYTES)),
      bank(UNKNOWN_AS_WELL, 1, digests(1, lastSize)),
    );
  const lastSize = TWO_BYTE_LENGTH + bytes - filled(TWO_BYTE_LENGTH).byteLength;
  if (lastSize < TWO_BYTE_LENGTH || lastSize > DIGEST_BYTES) throw new RangeError(`${bytes} bytes cannot be made`);
  return filled(lastSize);
}
