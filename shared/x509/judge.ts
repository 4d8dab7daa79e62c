/** What the certificates of a signed path must be: RFC 5280, section 6.1, without policies and revocation. A root is trusted by its bytes and not judged. */
import type { PublicKey } from "../crypto/index.ts";
import { type Certificate, isSelfIssued } from "./certificate.ts";
import { namesEkUsage } from "./ek-certificate.ts";
import { printName } from "./name.ts";
import { constraintProblem } from "./name-constraints.ts";
import { Oid } from "./oid.ts";
import { modulusBits } from "./public-key.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** `ek`: an endorsement key. `token`: a token's identity. `ca`: the issuing CA of an owner. */
export type ChainPurpose = "ek" | "token" | "ca";

const MIN_RSA_BITS = 2048;

export interface JudgedPath {
  /** From the leaf to the last certificate below the root. */
  readonly below: readonly Certificate[];
  readonly purpose: ChainPurpose;
  /** Milliseconds since 1970; without it no date is looked at. */
  readonly today: number | undefined;
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

function dates({ subject, notBefore, notAfter }: Certificate, today: number | undefined): Refusal | undefined {
  if (today === undefined) return undefined;
  if (notBefore === undefined || today < notBefore) {
    return refuse(
      "not-yet-valid",
      `${printName(subject)} begins ${notBefore === undefined ? "never" : day(notBefore)}`,
    );
  }
  if (notAfter !== undefined && today > notAfter)
    return refuse("expired", `${printName(subject)} ended ${day(notAfter)}`);
  return undefined;
}

function isWeak(key: PublicKey): boolean {
  return key.type === "rsa" && modulusBits(key) < MIN_RSA_BITS;
}

/** A usage that was written down binds; a critical one that we do not serve refuses. */
function extendedUsage({ extensions, subject }: Certificate, purpose: ChainPurpose): Refusal | undefined {
  const usages = extensions.extendedKeyUsage;
  if (usages === undefined || usages.includes(Oid.anyExtendedKeyUsage)) return undefined;
  if (purpose === "ek" && usages.includes(Oid.ekCertificateUsage)) return undefined;
  const critical = extensions.list.some(({ oid, critical }) => critical && oid === Oid.extendedKeyUsage);
  if (purpose !== "ek" && !critical) return undefined;
  return refuse("extended-key-usage", `${printName(subject)} is for ${usages.join(", ")}`);
}

function every(certificate: Certificate, { purpose, today }: JudgedPath): Refusal | undefined {
  const { subject, extensions } = certificate;
  const [unknown] = extensions.unknownCritical;
  if (certificate.version !== 3) return refuse("version", `${printName(subject)} is of version ${certificate.version}`);
  if (unknown !== undefined) return refuse("unknown-critical-extension", `${printName(subject)}: ${unknown}`);
  if (isWeak(certificate.publicKey)) {
    return refuse("weak-key", `${printName(subject)}: an RSA key has ${MIN_RSA_BITS} bits at least`);
  }
  return dates(certificate, today) ?? extendedUsage(certificate, purpose);
}

/** A CA with `following` CAs below it that are not self-issued (section 6.1.4, k to n). */
function authority(certificate: Certificate, following: number): Refusal | undefined {
  const { basicConstraints, keyUsage } = certificate.extensions;
  const name = printName(certificate.subject);
  if (basicConstraints?.ca !== true) return refuse("not-a-ca", `${name} may not issue certificates`);
  if (keyUsage !== undefined && !keyUsage.includes("keyCertSign")) {
    return refuse("key-usage", `${name} has no keyCertSign`);
  }
  const limit = basicConstraints.pathLength ?? Number.POSITIVE_INFINITY;
  if (following > limit) return refuse("path-too-long", `${name} allows ${limit} CAs below it, there are ${following}`);
  return undefined;
}

function hasCriticalAltName({ extensions }: Certificate): boolean {
  return extensions.list.some(({ oid, critical }) => critical && oid === Oid.subjectAltName);
}

/** D-70: Intel's P-256 EK certificates have keyEncipherment alone, which RFC 5480, section 3, forbids; they name their purpose. */
function namesEkAndEncipherment(certificate: Certificate): boolean {
  return namesEkUsage(certificate) && (certificate.extensions.keyUsage?.includes("keyEncipherment") ?? false);
}

function endEntity(leaf: Certificate, purpose: "ek" | "token"): Refusal | undefined {
  const { basicConstraints, keyUsage } = leaf.extensions;
  const name = printName(leaf.subject);
  if (basicConstraints?.ca === true) return refuse("is-a-ca", `${name} is a CA`);
  if (leaf.subject.length === 0 && !hasCriticalAltName(leaf)) {
    return refuse("subject-missing", "an empty subject without a critical subjectAltName");
  }
  if (purpose === "token") {
    const fits = keyUsage === undefined || keyUsage.includes("digitalSignature");
    return fits ? undefined : refuse("key-usage", `${name} has no digitalSignature`);
  }
  if (leaf.publicKey.type === "ed25519") return refuse("key-usage", `${name}: an EK is an RSA or an ECC key`);
  const wanted = leaf.publicKey.type === "rsa" ? "keyEncipherment" : "keyAgreement";
  const fits = keyUsage?.includes(wanted) || namesEkAndEncipherment(leaf);
  return fits ? undefined : refuse("key-usage", `${name} has no ${wanted}`);
}

function constraints(below: readonly Certificate[], purpose: ChainPurpose): Refusal | undefined {
  for (const [i, authorityCertificate] of below.entries()) {
    const limits = authorityCertificate.extensions.nameConstraints;
    if (limits === undefined) continue;
    for (const [k, certificate] of below.slice(0, i).entries()) {
      // Section 6.1.3 (b): self-issued certificates are exempt unless they end the path.
      if (k > 0 && isSelfIssued(certificate)) continue;
      const problem = constraintProblem(certificate, limits);
      if (problem !== undefined) return refuse("name-constraint", problem);
    }
  }
  const [leaf] = below;
  // An end entity constrains nobody (section 4.2.1.10): whoever wrote that meant something else.
  if (purpose !== "ca" && leaf?.extensions.nameConstraints !== undefined) {
    return refuse("name-constraint", `${printName(leaf.subject)} is no CA and constrains names`);
  }
  return undefined;
}

/** The first thing that speaks against the path, from the root's side; undefined: nothing. */
export function judgePath(path: JudgedPath): Refusal | undefined {
  const { below, purpose } = path;
  for (let i = below.length - 1; i >= 0; i--) {
    const certificate = below[i];
    if (certificate === undefined) continue;
    const isAuthority = i > 0 || purpose === "ca";
    const following = below.slice(purpose === "ca" ? 0 : 1, i).filter((ca) => !isSelfIssued(ca)).length;
    const problem =
      every(certificate, path) ?? (isAuthority ? authority(certificate, following) : endEntity(certificate, purpose));
    if (problem !== undefined) return problem;
  }
  return constraints(below, purpose);
}
