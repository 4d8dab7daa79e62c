import { CodecError } from "../../shared/bytes/index.ts";
import type { PublicKey } from "../../shared/crypto/index.ts";
import { ekEcc, ekRsa, type TpmtPublic } from "../../shared/tpm/index.ts";
import { type Certificate, parseCertificate, printName, saysTpm, validateChain } from "../../shared/x509/index.ts";
import { accept, type EnrolmentRefusal, type Outcome, refuse } from "./reasons.ts";

/** Whom the token trusts to vouch for a TPM, and whom never. */
export interface Endorsers {
  readonly ekRoots: readonly Certificate[];
  /** An owner must not vouch for an EK. */
  readonly ownerRoot: Certificate | undefined;
  /** Milliseconds since 1970, where a calendar exists; a stick has none, and then no date is looked at. */
  readonly today: number | undefined;
  /** D-73: a vendor's CA may have certified other things than TPMs. */
  readonly ekSaysTpm: boolean;
}

/** Judges an EK chain (intermediates first, EK certificate last) and gives the public area that credentials are made for. */
export function judgeEndorsement(
  ders: readonly Uint8Array[],
  { ekRoots, ownerRoot, today, ekSaysTpm }: Endorsers,
): Outcome<TpmtPublic, EnrolmentRefusal> {
  const certificates = parseAll(ders);
  if (certificates instanceof CodecError) return refuse("answer-malformed", certificates.message);
  const leaf = certificates.at(-1);
  if (leaf === undefined) return refuse("answer-malformed", "no certificate was sent");
  if (ekRoots.length === 0) return refuse("no-ek-root");
  const verdict = validateChain({
    leaf,
    intermediates: certificates.slice(0, -1),
    roots: ekRoots,
    purpose: "ek",
    forbiddenRoots: ownerRoot === undefined ? [] : [ownerRoot],
    today,
  });
  if (!verdict.ok) return refuse("ek-chain", `${verdict.reason}: ${verdict.detail}`, verdict.reason);
  if (ekSaysTpm && !saysTpm(leaf)) {
    const reason = "extended-key-usage";
    return refuse("ek-chain", `${reason}: ${printName(leaf.subject)} does not say that it is for a TPM`, reason);
  }
  const publicArea = ekPublicArea(leaf.publicKey);
  return publicArea === undefined ? refuse("ek-unsupported") : accept(publicArea);
}

function parseAll(ders: readonly Uint8Array[]): readonly Certificate[] | CodecError {
  try {
    return ders.map((der) => parseCertificate(der));
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

/** The EK by its template (TCG EK Credential Profile, L-1 and L-2): the certificate holds the key alone. */
function ekPublicArea(key: PublicKey): TpmtPublic | undefined {
  if (key.type === "rsa" && key.e === 65_537 && key.n.byteLength === ekRsa.unique.byteLength) {
    return { ...ekRsa, unique: key.n };
  }
  if (key.type === "ec" && key.curve === "P-256") return { ...ekEcc, unique: { x: key.x, y: key.y } };
  return undefined;
}
