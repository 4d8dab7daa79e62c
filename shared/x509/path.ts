/** Certification paths: RFC 5280, section 6, with anchors that are trusted by their bytes. */
import { equal } from "../bytes/index.ts";
import { type Certificate, isSelfIssued, isSignedBy } from "./certificate.ts";
import { type ChainPurpose, judgePath } from "./judge.ts";
import { printName, sameName } from "./name.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** Certificates of one chain as it is sent, leaf included: vendors send up to 3, owners up to 3. */
export const MAX_CERTIFICATES = 8;
/** Signatures and paths that are tried: names and keys that repeat must not make work without end. */
const MAX_STEPS = 64;

export interface ChainRequest {
  readonly leaf: Certificate;
  /** In any order; roots among them and certificates that lead nowhere do no harm. */
  readonly intermediates: readonly Certificate[];
  /** Trusted by their bytes: own signature, dates, extensions are not judged. */
  readonly roots: readonly Certificate[];
  readonly purpose: ChainPurpose;
  /** Roots that must not vouch for this leaf, whatever else is trusted: an owner's for an EK. */
  readonly forbiddenRoots?: readonly Certificate[];
  /** Milliseconds since 1970. Dates are looked at only when it is given: a token has no calendar. */
  readonly today?: number | undefined;
}

export interface TrustedChain {
  readonly ok: true;
  /** Leaf first, root last. */
  readonly path: readonly Certificate[];
  /** Sentences about what was let pass. */
  readonly warnings: readonly string[];
}

export type ChainVerdict = TrustedChain | Refusal;

function sameCertificate(a: Certificate, b: Certificate): boolean {
  return equal(a.der, b.der);
}

function holds(list: readonly Certificate[], certificate: Certificate): boolean {
  return list.some((other) => sameCertificate(other, certificate));
}

type Linking = "linked" | "misnamed" | "foreign-key" | "unrelated";

/** How `child` names `parent` as its issuer: by name, by key identifier, by both. */
function linking(child: Certificate, parent: Certificate): Linking {
  const wanted = child.extensions.authorityKeyIdentifier?.keyIdentifier;
  const own = parent.extensions.subjectKeyIdentifier;
  const named = sameName(child.issuer, parent.subject);
  if (wanted === undefined || own === undefined) return named ? "linked" : "unrelated";
  if (equal(wanted, own)) return named ? "linked" : "misnamed";
  return named ? "foreign-key" : "unrelated";
}

/** One search: what was tried, and the refusal that came nearest to trust. */
class Search {
  readonly #request: ChainRequest;
  readonly #pool: readonly Certificate[];
  #steps = 0;
  #best: { readonly rank: number; readonly refusal: Refusal } | undefined;

  constructor(request: ChainRequest) {
    this.#request = request;
    const { roots, forbiddenRoots = [], intermediates } = request;
    const anchors = [...roots, ...forbiddenRoots];
    this.#pool = [...anchors, ...intermediates.filter((certificate) => !holds(anchors, certificate))];
  }

  run(): ChainVerdict {
    const found = this.#extend([this.#request.leaf], []);
    if (found !== undefined) return found;
    return this.#best?.refusal ?? refuse("untrusted-root", "there is no path to a trusted root");
  }

  #note(rank: number, refusal: Refusal): undefined {
    if (this.#best === undefined || rank > this.#best.rank) this.#best = { rank, refusal };
    return undefined;
  }

  /** Paths that begin with `below`, leaf first; undefined when none is trusted. */
  #extend(below: readonly Certificate[], warnings: readonly string[]): TrustedChain | undefined {
    const child = below.at(-1) ?? this.#request.leaf;
    const rank = 10 * below.length;
    this.#note(rank, this.#noParent(child));
    if (child.signatureScheme === undefined) {
      return this.#note(
        rank + 9,
        refuse("algorithm-unsupported", `${printName(child.subject)}: unknown signature algorithm`),
      );
    }
    for (const parent of this.#pool) {
      const found = this.#tryParent(below, child, parent, warnings);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #noParent(child: Certificate): Refusal {
    const how = isSelfIssued(child)
      ? "signed itself and is not trusted"
      : `was issued by ${printName(child.issuer)}, which is not here`;
    return refuse("untrusted-root", `${printName(child.subject)} ${how}`);
  }

  #tryParent(
    below: readonly Certificate[],
    child: Certificate,
    parent: Certificate,
    warnings: readonly string[],
  ): TrustedChain | undefined {
    const link = linking(child, parent);
    const rank = 10 * below.length;
    const names = `${printName(child.subject)}: `;
    // That a certificate signed itself says nothing about trust.
    if (link === "unrelated" || sameCertificate(child, parent)) return undefined;
    if (link === "foreign-key") {
      return this.#note(rank + 2, refuse("key-identifier-mismatch", `${names}its issuer's key is another`));
    }
    // The C owner program writes the second-last CA's name into a token certificate; key identifier and signature are right.
    const excused = link === "misnamed" && this.#request.purpose === "token" && below.length === 1;
    if (link === "misnamed" && !excused) {
      return this.#note(
        rank + 3,
        refuse("issuer-mismatch", `${names}the key of ${printName(parent.subject)}, but another name`),
      );
    }
    const stop = this.#stop(below, parent);
    if (stop !== undefined) return this.#note(rank + 4, stop);
    if (!isSignedBy(child, parent.publicKeyInfo)) {
      return this.#note(rank + 5, refuse("signature-invalid", `${names}not signed by ${printName(parent.subject)}`));
    }
    const told = excused
      ? [...warnings, `${names}names ${printName(child.issuer)} as its issuer, signed by ${printName(parent.subject)}`]
      : warnings;
    return this.#climb(below, parent, told);
  }

  /** Reasons to leave a parent untried. */
  #stop(below: readonly Certificate[], parent: Certificate): Refusal | undefined {
    this.#steps++;
    if (this.#steps > MAX_STEPS) return refuse("too-many-certificates", "too many ways to try");
    const repeats = below.some(
      (own) => sameName(own.subject, parent.subject) && equal(own.publicKeyInfo.bits, parent.publicKeyInfo.bits),
    );
    if (repeats) return refuse("loop", `${printName(parent.subject)} would stand in its own chain`);
    return undefined;
  }

  /** `parent` has signed: it ends the path as a root, or the path goes on above it. */
  #climb(below: readonly Certificate[], parent: Certificate, warnings: readonly string[]): TrustedChain | undefined {
    const { roots, forbiddenRoots = [], purpose, today } = this.#request;
    const rank = 10 * below.length;
    if (holds(forbiddenRoots, parent)) {
      return this.#note(rank + 9, refuse("forbidden-root", `${printName(parent.subject)} must not vouch for this`));
    }
    if (!holds(roots, parent)) return this.#extend([...below, parent], warnings);
    const refusal = judgePath({ below, purpose, today });
    if (refusal !== undefined) return this.#note(10 * MAX_CERTIFICATES + rank, refusal);
    return { ok: true, path: [...below, parent], warnings };
  }
}

/** Is `leaf` vouched for by one of `roots`, for `purpose`? */
export function validateChain(request: ChainRequest): ChainVerdict {
  const { intermediates } = request;
  if (1 + intermediates.length > MAX_CERTIFICATES) {
    return refuse("too-many-certificates", `${1 + intermediates.length} certificates, ${MAX_CERTIFICATES} at most`);
  }
  return new Search(request).run();
}
