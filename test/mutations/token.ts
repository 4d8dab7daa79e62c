import type { Mutation } from "./mutation.ts";

/** What a token decides: verdicts, nonces, enrolment, grants and files, sessions, lamps. */

const APPRAISAL = "token/domain/appraisal.ts";
const appraisal = { file: APPRAISAL, tests: ["test/token/domain/appraisal.test.ts", "test/token/server/attestation.test.ts"] }; // biome-ignore format: one row
const SESSIONS = { file: "token/server/sessions.ts", tests: ["test/token/server/sessions.test.ts", "test/token/server/hostile.test.ts"] }; // biome-ignore format: one row
const SESSION = { file: "token/server/session.ts", tests: ["test/token/server"] };
const GRANTS = { file: "token/server/grants.ts", tests: ["test/token/server/storage.test.ts"] };
const LAMPS = { file: "token/led/machine.ts", tests: ["test/token/led", "test/token/lamps.test.ts"] };
const FILES = { file: "token/domain/files.ts", tests: ["test/token/domain/files.test.ts", "test/token/server/storage.test.ts"] }; // biome-ignore format: one row
const ENROLMENT = { file: "token/domain/enrolment.ts", tests: ["test/token/domain/enrolment.test.ts", "test/token/server/enrolment.test.ts"] }; // biome-ignore format: one row

export const tokenMutations: readonly Mutation[] = [
  {
    ...{ id: "V1", what: "the signature of evidence is not verified", ...appraisal },
    find: `  if (!verifySignature(context.key, evidence.data, evidence.signature)) return refuse("evidence-signature");\n`,
    replace: "",
  },
  {
    ...{ id: "V2", what: "any nonce in a quote will do", ...appraisal },
    find: `  if (!constantTimeEqual(extraData, asked.nonce)) return refuse("nonce-mismatch");\n`,
    replace: "",
  },
  {
    ...{ id: "V3", what: "safe = 0 is ignored", ...appraisal },
    find: `  if (!clockInfo.safe) return refuse("tpm-clock-unsafe");\n`,
    replace: "",
  },
  {
    ...{ id: "V4", what: "a quote of fewer PCRs than the policy wants is enough", ...appraisal },
    find: "if (bank.pcrSelect !== mask)",
    replace: "if ((bank.pcrSelect & ~mask) !== 0)",
  },
  {
    ...{ id: "V5", what: "any digest of PCRs is the expected one", ...appraisal },
    find: "constantTimeEqual(attested.pcrDigest, expected)",
    replace: "attested.pcrDigest.byteLength === expected.byteLength",
  },
  {
    ...{ id: "N1", what: "a session's nonce is not used up", ...SESSION },
    find: "    const nonce = this.#nonce;\n    this.#nonce = undefined;\n",
    replace: "    const nonce = this.#nonce;\n",
  },
  {
    ...{ id: "N2", what: "a context takes evidence until it is good", file: "token/server/evidence.ts" },
    find: `    if (domain.profile.failedAttestation === "consumes") session.attestations.remove(id); // D-57: a context answers once\n`,
    replace: "",
    tests: ["test/token/server/attestation.test.ts"],
  },
  {
    ...{ id: "N3", what: "attestations outlive a new nonce", file: "token/server/nonce.ts" },
    find: "      session.attestations.clear();\n",
    replace: "",
    tests: ["test/token/server/attestation.test.ts", "test/token/server/sessions.test.ts"],
  },
  {
    ...{ id: "E1", what: "any answer to the credential proves the TPM", ...ENROLMENT },
    find: "constantTimeEqual(secret, answer) ?",
    replace: "secret.byteLength === answer.byteLength ?",
  },
  {
    ...{ id: "E2", what: "metadata may be signed by anybody at enrolment", ...ENROLMENT },
    find: `  if (!verifySignature(aik.key, signedBytes(object.data, nonce), object.signature)) return refuse("metadata-signature");\n`,
    replace: "",
  },
  {
    ...{ id: "E3", what: "an owner may certify another key than the token's", file: "token/domain/owner.ts" },
    find: `if (publicKey.type !== "ed25519" || !isOwnKey(identity, publicKey.key))`,
    replace: `if (publicKey.type !== "ed25519")`,
    tests: ["test/token/domain/owner.test.ts", "test/token/server/token-provisioning.test.ts"],
  },
  {
    ...{ id: "G1", what: "a grant is good for many requests", ...GRANTS },
    find: "    this.#terms.delete(grant);\n",
    replace: "",
  },
  {
    ...{ id: "G2", what: "a grant does not bind the content", ...GRANTS },
    find: ` && constantTimeEqual(terms.digest, digest("sha256", body))`,
    replace: "",
  },
  {
    ...{ id: "G3", what: "a grant is good for any file", ...GRANTS },
    find: " && terms.path === path",
    replace: "",
  },
  {
    ...{ id: "G4", what: "a red leaves an earlier green standing", file: "token/server/evidence.ts" },
    find: "    if (domain.profile.failureRevokes) session.attest(undefined); // whatever becomes of those who are told\n",
    replace: "",
    tests: ["test/token/server/attestation.test.ts", "test/token/server/storage.test.ts"],
  },
  {
    ...{ id: "G5", what: "an older grant for a file outlives the use of a later one", file: GRANTS.file },
    find: "    if (isMeant) this.#forgetOlder(grant, path);\n",
    replace: "",
    tests: ["test/token/server/grant-order.test.ts"],
  },
  {
    ...{ id: "F1", what: "all platforms share their files", ...FILES },
    find: "return filesPrefix(platform) + toHex(",
    replace: `return filesPrefix("shared") + toHex(`,
  },
  {
    ...{ id: "F2", what: "the quota of a platform is not looked at", ...FILES },
    find: "bytes - (former ?? 0) + data.byteLength > limits.quotaBytes",
    replace: "limits.quotaBytes < 0",
  },
  {
    ...{ id: "S1", what: "sessions do not expire", ...SESSIONS },
    find: "      if (silentMs >= SESSION_MS) {\n",
    replace: "      if (silentMs > 1e12) {\n",
  },
  {
    ...{ id: "S2", what: "a session is known by its address alone", ...SESSIONS },
    find: "function keyOf({ name }: Door, { address, port }: Peer)",
    replace: "function keyOf({ name }: Door, { address }: Peer, port = 0)",
  },
  {
    ...{ id: "S3", what: "a flood of strangers ends attested sessions", ...SESSIONS },
    find: "      if (entry.session.attested !== undefined) continue;\n",
    replace: "",
  },
  {
    ...{ id: "S4", what: "a removed platform stays attested", file: SESSIONS.file },
    find: "if (session.attested?.id === platformId) session.attest(undefined);",
    replace: "session.grants.clear();",
    tests: ["test/token/server/platforms.test.ts", "test/token/server/sessions.test.ts"],
  },
  {
    ...{ id: "S5", what: "a session outlives the boot that attested it", file: "token/server/evidence.ts" },
    find: "sessions.revokeFormer(platform.summary.id, start, session); // whatever the verdict",
    replace: "",
    tests: ["test/token/server/other-boot.test.ts"],
  },
  {
    ...{ id: "L1", what: "green stays lit when the last session ends", ...LAMPS },
    find: "return { ...state, attested, idleSince",
    replace: "return { ...state, attested: Math.max(attested, state.attested), idleSince",
  },
  {
    ...{ id: "L2", what: "a red is not shown", ...LAMPS },
    find: "{ ...state, redUntil: now + RED_MS, idleSince",
    replace: "{ ...state, redUntil: now, idleSince",
  },
  {
    ...{ id: "L3", what: "a blink hides that a session is attested", ...LAMPS },
    find: "green: blink.green || state.attested > 0,",
    replace: "green: blink.green,",
  },
];
