type Setting = string | number | boolean;

/** One decision in which the reference firmware differs from what this project holds to be right. */
interface ProfileRow<S extends Setting, C extends Setting> {
  /** The row of docs/deviations.md. */
  readonly deviation: string;
  readonly about: string;
  readonly strict: S;
  readonly compat: C;
}

function row<const S extends Setting, const C extends Setting>(
  deviation: string,
  about: string,
  strict: S,
  compat: C,
): ProfileRow<S, C> {
  return { deviation, about, strict, compat };
}

/** The two profiles as one table, for people and programs. Code asks for a row, never for a profile's name. */
export const profileRows = {
  aik: row("D-01", "which attestation key is enrolled", "restricted", "reference"),
  demandsDynamicLaunch: row("D-02", "a platform is enrolled only when PCR 17 and 18 show a launch", true, false),
  rimCoversPolicy: row("D-03", "reference values must cover the policy at enrolment", true, false),
  ekCertificates: row("D-43", "how many certificates an EK chain may have", 4, 2),
  alreadyProvisioned: row("D-44", "what a provisioned token answers its owner", "forbidden", "not-found"),
  newNonceEndsAttestation: row("D-45", "asking for a nonce ends an open attestation", true, false),
  contentFormat: row("D-46", "which successes carry a Content-Format", "all", "aik-and-attest"),
  maxAge: row("D-47", "which answers carry Max-Age 0", "content-and-errors", "content"),
  enrolmentSignature: row("D-48", "a wrong signature of metadata or RIM", "forbidden", "bad-request"),
  attestSignature: row("D-49", "a wrong signature of metadata at attestation", "not-found", "bad-request"),
  malformedEvidence: row("D-50", "evidence that is not what the protocol says", "bad-request", "forbidden-and-red"),
  unknownContentFormat: row("D-51", "a Content-Format nobody knows", "refused", "as-absent"),
  accept: row("D-52", "where Accept is looked at", "everywhere", "four-bytes-on-some"),
  conditionalOptions: row("D-53", "If-Match and If-None-Match", "refused", "ignored"),
  finishBody: row("D-54", "a body where platform provisioning is finished", "refused", "ignored"),
  finishConsumes: row("D-55", "when finishing ends a provisioning context", "on-success", "always"),
  nonceConsumed: row("D-56", "when a nonce is used up", "when-authorised", "early"),
  failedAttestation: row("D-57", "what a failed attestation does to its context", "consumes", "keeps"),
  failureRevokes: row("D-58", "a failed attestation revokes the session's earlier success", true, false),
  storageGrants: row("D-59", "each access to a file needs a grant signed by the AIK", true, false),
  pingsIdlePeers: row("D-60", "the token pings peers that are silent", true, false),
  ekSaysTpm: row("D-73", "an EK certificate must say that it is for a TPM", true, false),
  platformsDiffer: row("D-74", "what makes a platform another one than those enrolled", "words", "bytes"),
} as const;
type Rows = typeof profileRows;

/** The settings of a profile, one for each row. */
export type Profile = { readonly name: "strict" | "compat" } & {
  readonly [K in keyof Rows]: Rows[K]["strict"] | Rows[K]["compat"];
};

function settings(name: "strict" | "compat"): Profile {
  const entries = Object.entries(profileRows).map(([key, settingsOf]) => [key, settingsOf[name]]);
  return { name, ...Object.fromEntries(entries) } as Profile; // one entry for each row, by construction
}

export const STRICT: Profile = settings("strict");
export const COMPAT: Profile = settings("compat");

export function profileNamed(name: "strict" | "compat"): Profile {
  return name === "strict" ? STRICT : COMPAT;
}
