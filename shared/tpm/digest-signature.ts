/** Not in the index of this folder, as shared/crypto/ecdsa-digest.ts: a TPM is asked this, and nobody else. */
import { ecdsaVerify } from "../crypto/ecdsa-digest.ts";
import type { PublicKey } from "../crypto/keys.ts";
import { TpmAlg } from "./constants.ts";
import { hashNameOf } from "./hash.ts";
import { scalarsOf, verifyRsaDigest } from "./keys.ts";
import type { TpmtSignature } from "./signature.ts";

/** `verifyTpmSignature` over a digest that was made with the signature's hash. */
export function verifyTpmDigest(key: PublicKey, signature: TpmtSignature, hashed: Uint8Array): boolean {
  if (signature.sigAlg !== TpmAlg.ECDSA) return verifyRsaDigest(key, signature, hashed);
  const scalars = hashNameOf(signature.hash) === undefined ? undefined : scalarsOf(key, signature);
  return key.type === "ec" && scalars !== undefined && ecdsaVerify(key, hashed, scalars);
}
