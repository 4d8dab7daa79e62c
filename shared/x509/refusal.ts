/** Why a chain is not relied upon. A closed list: docs, log and tests go by these words. */
export const chainRefusals = [
  /** A signature algorithm outside RSA (PKCS#1 v1.5, PSS) with SHA-2, ECDSA P-256/384/521, Ed25519. */
  "algorithm-unsupported",
  "signature-invalid",
  /** The key identifiers name a certificate whose subject is not the issuer's name. */
  "issuer-mismatch",
  /** The names fit, the key identifiers do not. */
  "key-identifier-mismatch",
  /** The chain ends in no certificate that is trusted by its bytes. */
  "untrusted-root",
  /** It ends in a root that must not vouch for this purpose. */
  "forbidden-root",
  "loop",
  "too-many-certificates",
  /** An owner chain without a CA below the root. */
  "issuing-ca-missing",
  /** An owner chain with certificates that are no part of it. */
  "unused-certificate",
  "not-a-ca",
  /** A CA where an end entity belongs. */
  "is-a-ca",
  /** More CAs follow than pathLenConstraint allows. */
  "path-too-long",
  "key-usage",
  "extended-key-usage",
  "unknown-critical-extension",
  "name-constraint",
  "weak-key",
  /** Not version 3. */
  "version",
  /** An empty subject without a critical subjectAltName. */
  "subject-missing",
  /** Only when the date is known. */
  "not-yet-valid",
  "expired",
] as const;

export type ChainRefusal = (typeof chainRefusals)[number];

export interface Refusal {
  readonly ok: false;
  readonly reason: ChainRefusal;
  /** One sentence for people. */
  readonly detail: string;
}

export function refuse(reason: ChainRefusal, detail: string): Refusal {
  return { ok: false, reason, detail };
}
