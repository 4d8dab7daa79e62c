import { CodecError, constantTimeEqual } from "../bytes/index.ts";
import { type CborSchema, decodeCbor, encodeCbor } from "../cbor/index.ts";
import { digest, type PrivateKey, type SignatureScheme, signMessage, verifyMessage } from "../crypto/index.ts";
import type { Random } from "../ports/index.ts";
import { listedScheme, type SubjectPublicKeyInfo, usualScheme } from "../x509/index.ts";
import { signedBytes } from "./signature.ts";
import { type AuthorizedRequest, OwnerAuthorization, RequestAuthorization } from "./v1.ts";

/** A request as it is authorized: the path as text with its segments joined by "/", one "/" in front. */
export interface RequestTerms {
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
}

/** A request of an owner. */
export interface OwnerTerms extends RequestTerms {
  /** The device id of the token that is meant; without it the request is good for whichever token of the owner gave the nonce. */
  readonly token?: string | undefined;
}

function termsFor({ method, path, body }: RequestTerms, nonce: Uint8Array): RequestAuthorization {
  return { nonce, method, path, digest: digest("sha256", body) };
}

/** The bytes to sign: an encoded RequestAuthorization. RangeError when the terms do not fit. */
export function authorizationFor(terms: RequestTerms, nonce: Uint8Array): Uint8Array {
  return encodeCbor(RequestAuthorization, termsFor(terms, nonce));
}

function readAs<T>(schema: CborSchema<T>, data: Uint8Array): T | CodecError {
  try {
    return decodeCbor(schema, data, "authorization");
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

/** CodecError as a value. */
export const readAuthorization = (data: Uint8Array): RequestAuthorization | CodecError =>
  readAs(RequestAuthorization, data);

/** What does not fit, for the log; undefined when `data` authorizes exactly these terms in the session of this nonce. The signature is another matter. */
function authorizationProblem(
  data: Uint8Array,
  { method, path, body, token }: OwnerTerms,
  nonce: Uint8Array,
): string | undefined {
  const wanted = readAs(OwnerAuthorization, data);
  if (wanted instanceof CodecError) return wanted.message;
  if (!constantTimeEqual(wanted.nonce, nonce)) return "for another nonce";
  if (wanted.token !== undefined && wanted.token !== token) return `for token ${wanted.token}`;
  if (wanted.method !== method || wanted.path !== path) return `for ${wanted.method} ${wanted.path}`;
  return constantTimeEqual(wanted.digest, digest("sha256", body)) ? undefined : "for another body";
}

/** The owner's side of extension 3: signatures as in X.509, ECDSA in DER. `scheme` is that of the issuing CA's certificate (listedScheme). */
export function authorizeRequest(
  terms: OwnerTerms,
  nonce: Uint8Array,
  key: PrivateKey,
  random: Random,
  scheme: SignatureScheme = usualScheme(key),
): AuthorizedRequest {
  const data = encodeCbor(OwnerAuthorization, {
    ...termsFor(terms, nonce),
    ...(terms.token === undefined ? {} : { token: terms.token }),
  });
  return { data, signature: signMessage(key, scheme, signedBytes(data, nonce), random), body: terms.body };
}

/** The token's side of extension 3: what is wrong; undefined when the owner of the issuing CA's key wants exactly this. `token` is its own device id. */
export function authorizedProblem(
  { data, signature, body }: AuthorizedRequest,
  asked: Omit<OwnerTerms, "body">,
  nonce: Uint8Array,
  issuing: SubjectPublicKeyInfo,
): string | undefined {
  const scheme = listedScheme(issuing);
  if (scheme === undefined || !verifyMessage(issuing.key, scheme, signedBytes(data, nonce), signature)) {
    return "not signed by the issuing key of this token's owner";
  }
  return authorizationProblem(data, { ...asked, body }, nonce);
}
