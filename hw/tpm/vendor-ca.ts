import { generateEcKey, generateRsaKey, type PrivateKey } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import { buildIntermediate, buildRoot, type Certificate, type Issuer, nameOf, Oid } from "../../shared/x509/index.ts";

/** A CA as a TPM vendor has one: a root that signs one issuing CA, which signs EK certificates. For TPMs that are none of a vendor's. */
export interface VendorCa {
  readonly root: Certificate;
  readonly issuer: Issuer;
}

export interface VendorCaOptions {
  readonly random: Random;
  /** Milliseconds since 1970: where the certificates begin. */
  readonly today: number;
  /** `rsa`: RSA 2048, what all verifiers know. `ecc`: P-256, made at once. */
  readonly key?: "rsa" | "ecc";
}

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const ROOT_YEARS = 30;
const ISSUER_YEARS = 20;
const RSA_BITS = 2048;
/** So much of the key's identifier tells one of these CAs from the next: names alone must not find the wrong issuer. */
const NAME_DIGITS = 8;

const ORGANIZATION = "Fobnail TPM manufacturing";

export function createVendorCa({ random, today, key = "rsa" }: VendorCaOptions): VendorCa {
  const makeKey = (): PrivateKey => (key === "rsa" ? generateRsaKey(random, RSA_BITS) : generateEcKey(random, "P-256"));
  const mark = Buffer.from(random.bytes(NAME_DIGITS / 2))
    .toString("hex")
    .toUpperCase();
  const named = (what: string) =>
    nameOf([
      [Oid.organizationName, ORGANIZATION],
      [Oid.commonName, `${what} ${mark}`],
    ]);
  const root = buildRoot(
    {
      subject: named("Root CA"),
      key: makeKey(),
      pathLength: 1,
      notBefore: today,
      notAfter: today + ROOT_YEARS * YEAR_MS,
    },
    random,
  );
  const issuerKey = makeKey();
  const certificate = buildIntermediate(
    {
      subject: named("Issuing CA"),
      publicKey: issuerKey,
      pathLength: 0,
      notBefore: today,
      notAfter: today + ISSUER_YEARS * YEAR_MS,
    },
    root,
    random,
  );
  return { root: root.certificate, issuer: { certificate, key: issuerKey } };
}
