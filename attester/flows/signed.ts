import { concat } from "../../shared/bytes/index.ts";
import { type CborSchema, encodeCbor } from "../../shared/cbor/index.ts";
import { SignedObject, signedBytes } from "../../shared/protocol/index.ts";
import { TpmAlg, type TpmtSignature } from "../../shared/tpm/index.ts";
import type { TpmClient, TpmKey } from "../tpm/index.ts";

const P256_SCALAR_BYTES = 32;

/** The TPM signed with a scheme that no message has room for; our keys cannot make it do so. */
export class SignatureFormError extends Error {
  override readonly name = "SignatureFormError";
}

/** A scalar as long as the curve's order: TPMs may leave out leading zeros. */
function scalar(bytes: Uint8Array): Uint8Array {
  return concat(new Uint8Array(Math.max(0, P256_SCALAR_BYTES - bytes.byteLength)), bytes);
}

/** The signature as messages carry it: the bare integer of RSASSA, or r and s of ECDSA over P-256. */
export function wireSignature(signature: TpmtSignature): Uint8Array {
  if (signature.sigAlg === TpmAlg.RSASSA) return signature.sig;
  if (signature.sigAlg === TpmAlg.ECDSA) return concat(scalar(signature.signatureR), scalar(signature.signatureS));
  throw new SignatureFormError(`The TPM signed with algorithm 0x${signature.sigAlg.toString(16)}`);
}

/** A signed object over `data || nonce`; `schema` is the message where it is another one than SignedObject. */
export async function signObject(
  tpm: TpmClient,
  aik: TpmKey,
  data: Uint8Array,
  nonce?: Uint8Array,
  schema: CborSchema<SignedObject> = SignedObject,
): Promise<Uint8Array> {
  const signature = wireSignature(await tpm.sign(aik, signedBytes(data, nonce)));
  return encodeCbor(schema, { data, signature });
}
