import { CodecError } from "../../shared/bytes/index.ts";
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
    const issuer: Certificate | undefined = await issuerOf(child, sources);
    if (issuer === undefined) {
      sources.log.write("debug", `EK chain: ${printName(child.issuer)} is not here; the token has to know it`);
      break;
    }
    if (isSelfIssued(issuer)) break;
    chain.unshift(issuer.der);
    child = issuer;
  }
  return chain;
}

async function issuerOf(child: Certificate, { known, fetcher, log }: EkChainSources): Promise<Certificate | undefined> {
  const isIssuer = (candidate: Certificate) =>
    sameName(child.issuer, candidate.subject) && isSignedBy(child, candidate.publicKeyInfo);
  const found = known.find(isIssuer);
  if (found !== undefined || fetcher === undefined) return found;
  for (const url of child.extensions.caIssuers.slice(0, MAX_DOWNLOADS)) {
    const file = await fetcher.fetch(url);
    if (file === undefined) continue;
    const issuer = certificatesIn(file, url, log).find(isIssuer);
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
