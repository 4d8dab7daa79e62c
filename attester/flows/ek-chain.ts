import { CodecError, equal } from "../../shared/bytes/index.ts";
import type { CertificateFetcher, Log } from "../../shared/ports/index.ts";
import { Limit } from "../../shared/protocol/index.ts";
import {
  type Certificate,
  isSelfIssued,
  isSignedBy,
  parseCertificate,
  printName,
  readCertificates,
  sameName,
} from "../../shared/x509/index.ts";

/** The EK certificate with the certificates that lead to its vendor's root. */

const MAX_DOWNLOADS = 4;

export interface EkChainSources {
  /** Where issuers are looked for first: from NV and from files, in any order. */
  readonly known: readonly Certificate[];
  /** Gets issuers by authorityInfoAccess (RFC 5280, 4.2.2.1); nothing is downloaded without it. */
  readonly fetcher?: CertificateFetcher | undefined;
  readonly log: Log;
}

/**
 * The chain as it is sent: intermediates first, the highest at the head, the EK certificate last, without the root. An issuer that is not found
 * may be the root itself, which the token has; so the chain ends there. A leaf that is no strict DER is sent alone: the token judges it.
 */
export async function collectEkChain(leaf: Uint8Array, sources: EkChainSources): Promise<readonly Uint8Array[]> {
  const chain = [leaf];
  let child = parsed(leaf, "the EK certificate", sources.log);
  while (child !== undefined && chain.length < Limit.CERTIFICATES) {
    const issuer: Certificate | undefined = await issuerOf(child, chain, sources);
    if (issuer === undefined) {
      sources.log.write("debug", `EK chain: ${printName(child.issuer)} is not here; the token has to know it`);
      break;
    }
    if (isSelfSigned(issuer)) break;
    chain.unshift(issuer.der);
    child = issuer;
  }
  return chain;
}

/**
 * RFC 5280, 3.2: a certificate for a CA's new key that the CA signed with its old one is self-issued only, and has to be sent. What no token
 * can verify either counts as signed by itself.
 */
function isSelfSigned(certificate: Certificate): boolean {
  if (!isSelfIssued(certificate)) return false;
  return certificate.signatureScheme === undefined || isSignedBy(certificate, certificate.publicKeyInfo);
}

/** None that the chain has already. A root's cross certificate goes before the root: a token may know only who signed that. */
async function issuerOf(
  child: Certificate,
  chain: readonly Uint8Array[],
  { known, fetcher, log }: EkChainSources,
): Promise<Certificate | undefined> {
  const isIssuer = (candidate: Certificate) =>
    sameName(child.issuer, candidate.subject) &&
    isSignedBy(child, candidate.publicKeyInfo) &&
    !chain.some((der) => equal(der, candidate.der));
  const issuerAmong = (candidates: readonly Certificate[]) => {
    const issuers = candidates.filter(isIssuer);
    return issuers.find((issuer) => !isSelfSigned(issuer)) ?? issuers[0];
  };
  const found = issuerAmong(known);
  if (found !== undefined || fetcher === undefined) return found;
  for (const url of child.extensions.caIssuers.slice(0, MAX_DOWNLOADS)) {
    const file = await fetcher.fetch(url);
    if (file === undefined) continue;
    const issuer = issuerAmong(certificatesIn(file, url, log));
    if (issuer !== undefined) return issuer;
    log.write("warn", `${url} holds no certificate that signed ${printName(child.subject)}`, { url });
  }
  return undefined;
}

/** The certificates of a file from outside, PEM or DER; none when it is malformed, which the log says. */
function certificatesIn(file: Uint8Array, name: string, log: Log): readonly Certificate[] {
  try {
    return readCertificates(file);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    log.write("warn", `${name}: ${error.message}`);
    return [];
  }
}

/** Undefined for what is no certificate, which the log says. */
export function parsed(der: Uint8Array, what: string, log: Log): Certificate | undefined {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    log.write("warn", `${what}: ${error.message}`);
    return undefined;
  }
}
