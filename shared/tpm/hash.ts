/** TPMT_HA and the hash algorithms that this project computes. */
import { fixed, type Infer, list, tagged, u16be, u32be } from "../bytes/index.ts";
import type { HashName } from "../crypto/keys.ts";
import { TpmAlg, TpmLimit } from "./constants.ts";

const HASHES = {
  [TpmAlg.SHA1]: { digest: fixed(20) },
  [TpmAlg.SHA256]: { digest: fixed(32) },
  [TpmAlg.SHA384]: { digest: fixed(48) },
  [TpmAlg.SHA512]: { digest: fixed(64) },
  [TpmAlg.SM3_256]: { digest: fixed(32) },
} as const;

/** TPMT_HA, Part 2, 10.3.2: the algorithm says how long the digest is. */
export const TpmtHa = tagged("TPMT_HA", "hashAlg", u16be, HASHES);
export type TpmtHa = Infer<typeof TpmtHa>;

/** TPMT_HA+: with TPM_ALG_NULL there is no digest. */
export const TpmtHaOrNull = tagged("TPMT_HA", "hashAlg", u16be, { ...HASHES, [TpmAlg.NULL]: {} });

/** TPML_DIGEST_VALUES, Part 2, 10.9.4. */
export const TpmlDigestValues = list(u32be, TpmtHa, TpmLimit.BANKS);

const HASH_NAMES: ReadonlyMap<number, HashName> = new Map([
  [TpmAlg.SHA1, "sha1"],
  [TpmAlg.SHA256, "sha256"],
  [TpmAlg.SHA384, "sha384"],
  [TpmAlg.SHA512, "sha512"],
]);

/** The hash behind a TPM_ALG_ID; undefined when it is none, or none that we compute. */
export function hashNameOf(alg: number): HashName | undefined {
  return HASH_NAMES.get(alg);
}

/** The TPM_ALG_ID of a hash. */
export function hashAlgOf(name: HashName): TpmtHa["hashAlg"] {
  switch (name) {
    case "sha1":
      return TpmAlg.SHA1;
    case "sha256":
      return TpmAlg.SHA256;
    case "sha384":
      return TpmAlg.SHA384;
    case "sha512":
      return TpmAlg.SHA512;
  }
}

/** A TPMT_HA of one of the algorithms that we compute. Throws RangeError on another, or on a digest of another size. */
export function tpmtHa(hashAlg: number, digest: Uint8Array): TpmtHa {
  const known = HASH_NAMES.get(hashAlg);
  if (known === undefined) throw new RangeError(`TPM_ALG_ID 0x${hashAlg.toString(16)} is no hash known here`);
  return { hashAlg: hashAlgOf(known), digest };
}
