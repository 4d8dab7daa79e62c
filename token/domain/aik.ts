import { CodecError, decode, encode, equal } from "../../shared/bytes/index.ts";
import { type EcPublicKey, isOnCurve, type RsaPublicKey, rsaKeyFlaw } from "../../shared/crypto/index.ts";
import {
  aikReference,
  aikRestrictedEcc,
  aikRestrictedRsa,
  nameOf,
  publicKeyOf,
  Tpm2bPublic,
  TpmAlg,
  TpmaObjectBit,
  TpmtPublic,
} from "../../shared/tpm/index.ts";
import type { Profile } from "./profile.ts";
import { accept, type EnrolmentRefusal, type Outcome, refuse } from "./reasons.ts";

/** RSA sizes that the reference accepts, in bits. */
const REFERENCE_RSA_BITS: readonly number[] = [1024, 2048, 4096, 8192];
const EXPLICIT_EXPONENT = 65_537;

/** An attestation key that may be enrolled. */
export interface Aik {
  /** TPM2B_PUBLIC as received. */
  readonly publicArea: Uint8Array;
  /** Its TPM Name. */
  readonly name: Uint8Array;
  readonly key: RsaPublicKey | EcPublicKey;
}

/** Decodes a TPM2B_PUBLIC and judges it as AIK. */
export function judgeAik(bytes: Uint8Array, profile: Profile): Outcome<Aik, EnrolmentRefusal> {
  let area: TpmtPublic;
  try {
    area = decode(Tpm2bPublic, bytes, "aik");
  } catch (error) {
    if (error instanceof CodecError) return refuse("aik-malformed", error.message);
    throw error;
  }
  const restricted = (area.objectAttributes & TpmaObjectBit.RESTRICTED) !== 0;
  if (profile.aik === "restricted" && !restricted) return refuse("aik-unrestricted");
  const key = publicKeyOf(area);
  if (key === undefined) return refuse("aik-unsupported", "neither an RSA nor a P-256 key");
  const fits =
    profile.aik === "reference"
      ? sameShape(area, aikReference, REFERENCE_RSA_BITS)
      : sameShape(area, aikRestrictedRsa, [2048]) || sameShape(area, aikRestrictedEcc, []);
  if (!fits) return refuse("aik-unsupported", `attributes 0x${area.objectAttributes.toString(16).padStart(8, "0")}`);
  if (!isSound(key)) return refuse("aik-unsupported", "its numbers are no public key");
  return accept({ publicArea: bytes, name: nameOf(area), key });
}

/** No TPM makes such a key, and no signature would be right under it: better told now than at every attestation. */
function isSound(key: RsaPublicKey | EcPublicKey): boolean {
  return key.type === "rsa" ? rsaKeyFlaw(key) === undefined : isOnCurve(key);
}

/** Whether everything but the key itself is as in the template; RSA sizes from `rsaBits`, exponent 65537 in either writing. */
function sameShape(area: TpmtPublic, template: TpmtPublic, rsaBits: readonly number[]): boolean {
  if (area.type === TpmAlg.RSA && template.type === TpmAlg.RSA) {
    const { keyBits, exponent } = area.parameters;
    if (!rsaBits.includes(keyBits) || (exponent !== 0 && exponent !== EXPLICIT_EXPONENT)) return false;
    const parameters = { ...area.parameters, keyBits: template.parameters.keyBits, exponent: 0 };
    return equal(encode(TpmtPublic, { ...area, parameters, unique: template.unique }), encode(TpmtPublic, template));
  }
  if (area.type !== TpmAlg.ECC || template.type !== TpmAlg.ECC) return false;
  return equal(encode(TpmtPublic, { ...area, unique: template.unique }), encode(TpmtPublic, template));
}
