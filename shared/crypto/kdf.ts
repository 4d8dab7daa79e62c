import { concat, encode, u32be, utf8 } from "../bytes/index.ts";
import { digest, digestSize, hmac } from "./hash.ts";
import type { HashName } from "./keys.ts";

const ZERO = Uint8Array.of(0);

/** As many bytes as `bits` take from blocks 1, 2, ...; a partial first byte keeps its low bits only (Part 1, 11.4.10.2). */
function blocks(bits: number, blockBytes: number, block: (counter: Uint8Array) => Uint8Array): Uint8Array {
  const size = Math.ceil(bits / 8);
  const parts: Uint8Array[] = [];
  for (let i = 1; (i - 1) * blockBytes < size; i++) parts.push(block(encode(u32be, i)));
  const key = concat(...parts).slice(0, size);
  const [first] = key;
  if (bits % 8 !== 0 && first !== undefined) key[0] = first & ((1 << (bits % 8)) - 1);
  return key;
}

/** KDFa, TPM 2.0 Part 1, 11.4.10.2: SP 800-108 in counter mode with HMAC. The label gets its terminating zero here. */
export function kdfa(
  alg: HashName,
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  const name = utf8(label);
  const length = encode(u32be, bits);
  return blocks(bits, digestSize(alg), (counter) => hmac(alg, key, counter, name, ZERO, contextU, contextV, length));
}

/** KDFe, TPM 2.0 Part 1, 11.4.10.3: SP 800-56A with a hash. `z` is the x coordinate of the shared point. */
export function kdfe(
  alg: HashName,
  z: Uint8Array,
  use: string,
  partyUInfo: Uint8Array,
  partyVInfo: Uint8Array,
  bits: number,
): Uint8Array {
  const name = utf8(use);
  return blocks(bits, digestSize(alg), (counter) => digest(alg, counter, z, name, ZERO, partyUInfo, partyVInfo));
}
