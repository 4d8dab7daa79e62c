/** The chain of a Platform Owner: one root and one or two CAs, the last of which issues. */
import { equal } from "../bytes/index.ts";
import type { Certificate } from "./certificate.ts";
import { type ChainVerdict, validateChain } from "./path.ts";
import { type Refusal, refuse } from "./refusal.ts";

const MAX_CAS = 2;

export interface OwnerChainRequest {
  /** As they were sent. The root may stand anywhere, or be absent: the C owner program sorts. */
  readonly certificates: readonly Certificate[];
  readonly root: Certificate;
  /** Milliseconds since 1970; dates are looked at only when it is given. */
  readonly today?: number | undefined;
}

/** The root itself is not among the CAs, wherever it stands and however often. */
function belowRoot({ certificates, root }: OwnerChainRequest): readonly Certificate[] {
  return certificates.filter((certificate) => !equal(certificate.der, root.der));
}

function usesAll(verdict: ChainVerdict, cas: readonly Certificate[]): ChainVerdict {
  if (!verdict.ok || verdict.path.length === cas.length + 1) return verdict;
  return refuse("unused-certificate", `${cas.length} CAs were sent, ${verdict.path.length - 1} make the chain`);
}

/** The path from the issuing CA to the root; every certificate that was sent must be part of it. */
export function validateOwnerChain(request: OwnerChainRequest): ChainVerdict {
  const cas = belowRoot(request);
  const { root, today } = request;
  if (cas.length === 0) return refuse("issuing-ca-missing", "there is no CA below the root");
  if (cas.length > MAX_CAS) return refuse("too-many-certificates", `${cas.length} CAs, ${MAX_CAS} at most`);
  let worst: Refusal | undefined;
  // Last first: that is where the issuing CA stands when the sender kept the order.
  for (const leaf of [...cas].reverse()) {
    const intermediates = cas.filter((ca) => ca !== leaf);
    const verdict = usesAll(validateChain({ leaf, intermediates, roots: [root], purpose: "ca", today }), cas);
    if (verdict.ok) return verdict;
    if (worst === undefined || worst.reason === "untrusted-root" || worst.reason === "unused-certificate")
      worst = verdict;
  }
  return worst ?? refuse("issuing-ca-missing", "there is no CA below the root");
}
