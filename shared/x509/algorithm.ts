/** AlgorithmIdentifier, and the signature algorithms: RFC 4055 (RSA), RFC 5758 (ECDSA), RFC 8410 (Ed25519). */
import { type Codec, decode, encode, equal, struct } from "../bytes/index.ts";
import type { HashName, PrivateKey, PublicKey, SignatureScheme } from "../crypto/index.ts";
import { constructedContextTag, explicit, optional, optionalElement, sequence } from "./der.ts";
import { nullValue, oid, smallUnsigned } from "./der-types.ts";
import { Oid } from "./oid.ts";

export interface AlgorithmIdentifier {
  readonly algorithm: string;
  /** The octets of the parameters element; undefined when there is none. */
  readonly parameters: Uint8Array | undefined;
}

export const AlgorithmIdentifierDer: Codec<AlgorithmIdentifier> = sequence(
  struct("AlgorithmIdentifier", { algorithm: oid, parameters: optionalElement }),
);

const NULL = encode(nullValue, null);

export function isNullOrAbsent(parameters: Uint8Array | undefined): boolean {
  return parameters === undefined || equal(parameters, NULL);
}

const DEFAULT_SALT_BYTES = 20;
const DEFAULT_TRAILER = 1;

/** RSASSA-PSS-params, RFC 4055, section 3.1. The default hash is SHA-1, which we do not accept, so its absence needs no value. */
const PssParameters = sequence(
  struct("RSASSA-PSS-params", {
    hashAlgorithm: optional(constructedContextTag(0), explicit(0, AlgorithmIdentifierDer)),
    maskGenAlgorithm: optional(constructedContextTag(1), explicit(1, AlgorithmIdentifierDer)),
    saltLength: optional(constructedContextTag(2), explicit(2, smallUnsigned(1024))),
    trailerField: optional(constructedContextTag(3), explicit(3, smallUnsigned(255))),
  }),
);

type Sha2 = Exclude<HashName, "sha1">;
const SHA2 = {
  sha256: { algorithm: Oid.sha256, sizeBytes: 32, pkcs1: Oid.sha256WithRsa },
  sha384: { algorithm: Oid.sha384, sizeBytes: 48, pkcs1: Oid.sha384WithRsa },
  sha512: { algorithm: Oid.sha512, sizeBytes: 64, pkcs1: Oid.sha512WithRsa },
} as const;
const HASHES: readonly Sha2[] = ["sha256", "sha384", "sha512"];

function hashOf(identifier: AlgorithmIdentifier | undefined): Sha2 | undefined {
  if (identifier === undefined || !isNullOrAbsent(identifier.parameters)) return undefined;
  return HASHES.find((hash) => SHA2[hash].algorithm === identifier.algorithm);
}

/** What RSASSA-PSS-params say: of a signature how it was made, of a key how it may sign (RFC 4055, section 3.3). */
export interface PssTerms {
  /** Undefined: one that we do not accept. */
  readonly hash: Sha2 | undefined;
  /** Of the mask; undefined: one that we do not accept, or another mask than MGF1. */
  readonly maskHash: Sha2 | undefined;
  readonly saltBytes: number;
  readonly trailer: number;
}

function maskHashOf(mask: AlgorithmIdentifier | undefined): Sha2 | undefined {
  if (mask?.algorithm !== Oid.mgf1 || mask.parameters === undefined) return undefined;
  return hashOf(decode(AlgorithmIdentifierDer, mask.parameters, "maskGenAlgorithm"));
}

/** Throws CodecError when `parameters` are malformed. */
export function decodePssTerms(parameters: Uint8Array): PssTerms {
  const { hashAlgorithm, maskGenAlgorithm, saltLength, trailerField } = decode(PssParameters, parameters, "parameters");
  return {
    hash: hashOf(hashAlgorithm),
    maskHash: maskHashOf(maskGenAlgorithm),
    saltBytes: saltLength ?? DEFAULT_SALT_BYTES,
    trailer: trailerField ?? DEFAULT_TRAILER,
  };
}

/** One hash for message and mask, and a salt as long as it: what every known issuer uses. */
function pssHash(parameters: Uint8Array | undefined): Sha2 | undefined {
  if (parameters === undefined) return undefined;
  const { hash, maskHash, saltBytes, trailer } = decodePssTerms(parameters);
  if (hash === undefined || maskHash !== hash || trailer !== DEFAULT_TRAILER) return undefined;
  return saltBytes === SHA2[hash].sizeBytes ? hash : undefined;
}

/** May a key with these terms make signatures of `scheme`? Its salt length is the least that is allowed. */
export function allows({ hash, maskHash, saltBytes, trailer }: PssTerms, scheme: SignatureScheme): boolean {
  if (hash === undefined || maskHash !== hash || trailer !== DEFAULT_TRAILER) return false;
  return scheme === `rsa-pss-${hash}` && saltBytes <= SHA2[hash].sizeBytes;
}

/** The scheme that a signatureAlgorithm names; undefined for those that we do not accept (SHA-1 among them). */
export function schemeOf({ algorithm, parameters }: AlgorithmIdentifier): SignatureScheme | undefined {
  const pkcs1 = HASHES.find((hash) => SHA2[hash].pkcs1 === algorithm);
  // RFC 4055, section 5: NULL is right, absent must be accepted.
  if (pkcs1 !== undefined) return isNullOrAbsent(parameters) ? `rsa-pkcs1-${pkcs1}` : undefined;
  if (algorithm === Oid.rsassaPss) {
    const hash = pssHash(parameters);
    return hash === undefined ? undefined : `rsa-pss-${hash}`;
  }
  if (parameters !== undefined) return undefined;
  if (algorithm === Oid.ecdsaWithSha256) return "ecdsa-sha256";
  if (algorithm === Oid.ecdsaWithSha384) return "ecdsa-sha384";
  if (algorithm === Oid.ecdsaWithSha512) return "ecdsa-sha512";
  return algorithm === Oid.ed25519 ? "ed25519" : undefined;
}

function identifierOfHash(hash: Sha2): AlgorithmIdentifier {
  return { algorithm: SHA2[hash].algorithm, parameters: NULL };
}

function pssIdentifier(hash: Sha2): AlgorithmIdentifier {
  const parameters = encode(PssParameters, {
    hashAlgorithm: identifierOfHash(hash),
    maskGenAlgorithm: { algorithm: Oid.mgf1, parameters: encode(AlgorithmIdentifierDer, identifierOfHash(hash)) },
    saltLength: SHA2[hash].sizeBytes,
    trailerField: undefined,
  });
  return { algorithm: Oid.rsassaPss, parameters };
}

export function identifierOf(scheme: SignatureScheme): AlgorithmIdentifier {
  if (scheme === "ed25519") return { algorithm: Oid.ed25519, parameters: undefined };
  if (scheme === "ecdsa-sha256") return { algorithm: Oid.ecdsaWithSha256, parameters: undefined };
  if (scheme === "ecdsa-sha384") return { algorithm: Oid.ecdsaWithSha384, parameters: undefined };
  if (scheme === "ecdsa-sha512") return { algorithm: Oid.ecdsaWithSha512, parameters: undefined };
  for (const hash of HASHES) {
    if (scheme === `rsa-pkcs1-${hash}`) return { algorithm: SHA2[hash].pkcs1, parameters: NULL };
    if (scheme === `rsa-pss-${hash}`) return pssIdentifier(hash);
  }
  throw new RangeError(`${scheme} has no identifier in X.509`);
}

const ECDSA_SCHEMES = { "P-256": "ecdsa-sha256", "P-384": "ecdsa-sha384", "P-521": "ecdsa-sha512" } as const;

/** The scheme that a key signs certificates with when none is asked for. */
export function usualScheme(key: PrivateKey | PublicKey): SignatureScheme {
  if (key.type === "rsa") return "rsa-pkcs1-sha256";
  if (key.type === "ed25519") return "ed25519";
  return ECDSA_SCHEMES[key.curve];
}

/** Can a key of this type make signatures of this scheme? */
export function fits(key: PublicKey, scheme: SignatureScheme): boolean {
  if (key.type === "rsa") return scheme.startsWith("rsa-");
  return key.type === "ec" ? scheme.startsWith("ecdsa-") : scheme === "ed25519";
}
