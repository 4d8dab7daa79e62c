import { CodecError, constantTimeEqual } from "../bytes/index.ts";
import { decodeCbor, encodeCbor } from "../cbor/index.ts";
import {
  digest,
  type PrivateKey,
  type PublicKey,
  type SignatureScheme,
  signMessage,
  verifyMessage,
} from "../crypto/index.ts";
import type { Random } from "../ports/index.ts";
import { signedBytes } from "./signature.ts";
import { type AuthorizedRequest, RequestAuthorization } from "./v1.ts";

/** A request as it is authorized: the path as text with its segments joined by "/", one "/" in front. */
export interface RequestTerms {
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
}

/** The bytes to sign: an encoded RequestAuthorization. RangeError when the terms do not fit. */
export function authorizationFor({ method, path, body }: RequestTerms, nonce: Uint8Array): Uint8Array {
  return encodeCbor(RequestAuthorization, { nonce, method, path, digest: digest("sha256", body) });
}

/** What does not fit, for the log; undefined when `data` authorizes exactly these terms in the session of this nonce. The signature is another matter. */
export function authorizationProblem(
  data: Uint8Array,
  { method, path, body }: RequestTerms,
  nonce: Uint8Array,
): string | undefined {
  const wanted = readAuthorization(data);
  if (wanted instanceof CodecError) return wanted.message;
  if (!constantTimeEqual(wanted.nonce, nonce)) return "for another nonce";
  if (wanted.method !== method || wanted.path !== path) return `for ${wanted.method} ${wanted.path}`;
  return constantTimeEqual(wanted.digest, digest("sha256", body)) ? undefined : "for another body";
}

/** CodecError as a value. */
export function readAuthorization(data: Uint8Array): RequestAuthorization | CodecError {
  try {
    return decodeCbor(RequestAuthorization, data, "authorization");
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

const ECDSA_SCHEMES = { "P-256": "ecdsa-sha256", "P-384": "ecdsa-sha384", "P-521": "ecdsa-sha512" } as const;

/** How a key of an owner signs; undefined for keys that sign nothing here. */
function schemeOf(key: PublicKey): SignatureScheme {
  if (key.type === "rsa") return "rsa-pkcs1-sha256";
  if (key.type === "ed25519") return "ed25519";
  return ECDSA_SCHEMES[key.curve];
}

/** The owner's side of extension 3: signatures as in X.509, ECDSA in DER. */
export function authorizeRequest(
  terms: RequestTerms,
  nonce: Uint8Array,
  key: PrivateKey,
  random: Random,
): AuthorizedRequest {
  const data = authorizationFor(terms, nonce);
  return { data, signature: signMessage(key, schemeOf(key), signedBytes(data, nonce), random), body: terms.body };
}

/** The token's side of extension 3: what is wrong; undefined when the owner of `key` wants exactly this. */
export function authorizedProblem(
  { data, signature, body }: AuthorizedRequest,
  { method, path }: Omit<RequestTerms, "body">,
  nonce: Uint8Array,
  key: PublicKey,
): string | undefined {
  if (!verifyMessage(key, schemeOf(key), signedBytes(data, nonce), signature)) {
    return "not signed by the issuing key of this token's owner";
  }
  return authorizationProblem(data, { method, path, body }, nonce);
}
