import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CodecError, equal, fromHex, toHex } from "../../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor } from "../../../shared/cbor/index.ts";
import {
  CertChain,
  DEFAULT_POLICY,
  Evidence,
  NonceRequest,
  QuoteRequest,
  SignedObject,
  signedBytes,
  verifySignature,
} from "../../../shared/protocol/index.ts";
import { parseCertificate, parsePem } from "../../../shared/x509/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import { type Platform, platformId } from "../../../token/domain/platforms.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { type Outcome, refuse } from "../../../token/domain/reasons.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

/** One exchange captured from the reference attester: test/vectors/README.md. */
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(`test/vectors/v0/${name}`));
const readHex = (name: string) => fromHex(readFileSync(`test/vectors/v0/${name}`, "utf8").trim()) ?? assert.fail(name);
const files = {
  ek: read("01_ek.resp.bin"),
  aik: read("02_aik.resp.bin"),
  secret: read("03_challenge.resp.bin"),
  metadata: read("04_metadata_prov.resp.bin"),
  rim: read("05_rim.resp.bin"),
  freshMetadata: read("06_metadata_att.resp.bin"),
  evidence: read("07_quote.resp.bin"),
};
type Files = typeof files;

const aikName = readHex("02_aik.name.hex");
const secret = readHex("03_challenge.expected_secret.hex");
const metadataNonce = decodeCbor(NonceRequest, read("06_metadata_att.req.bin")).nonce;
const quoteNonce = decodeCbor(QuoteRequest, read("07_quote.req.bin")).nonce;
const root = parseCertificate(
  parsePem(readFileSync("test/vectors/v0/ek_ca_cert.pem", "utf8"), "CERTIFICATE")[0] ?? assert.fail(),
);

function domainFor(profile: Profile, calendar?: { today(): number }): Domain {
  const domain = createDomain({
    store: memoryStore(),
    random: seededRandom(1),
    profile,
    policy: DEFAULT_POLICY,
    calendar,
  });
  domain.roots.add(undefined, [root]);
  return domain;
}

function decoded<T>(schema: CborSchema<T>, bytes: Uint8Array): Outcome<T, "malformed"> {
  try {
    return { ok: true, value: decodeCbor(schema, bytes) };
  } catch (error) {
    if (error instanceof CodecError) return refuse("malformed");
    throw error;
  }
}

/** Requests 1 to 5. The TPM is in the vectors: it gives the secret away for the AIK with the captured name only. */
function enrol(domain: Domain, from: Files): Outcome<Platform, string> {
  const chain = decoded(CertChain, from.ek);
  if (!chain.ok) return chain;
  const ek = domain.judgeEndorsement(chain.value.certs);
  if (!ek.ok) return ek;
  const aik = domain.judgeAik(from.aik);
  if (!aik.ok) return aik;
  const activation = domain.startActivation(ek.value, aik.value);
  if (!activation.ok) return activation;
  const released = equal(aik.value.name, aikName) ? from.secret : new Uint8Array();
  const activated = domain.finishActivation({ ...activation.value, secret }, released);
  if (!activated.ok) return activated;
  const metadata = decoded(SignedObject, from.metadata);
  if (!metadata.ok) return metadata;
  const checked = domain.checkMetadata(metadata.value, aik.value);
  if (!checked.ok) return checked;
  const rim = decoded(SignedObject, from.rim);
  if (!rim.ok) return rim;
  const reference = domain.checkReferenceValues(rim.value, aik.value);
  if (!reference.ok) return reference;
  const platform = domain.enrol({ aik: aik.value, metadata: checked.value, rim: reference.value });
  if (!platform.ok) return platform;
  return { ok: true, value: domain.platforms.find(platform.value.id) ?? assert.fail("not stored") };
}

/** Requests 6 and 7. */
function attest(domain: Domain, from: Files): Outcome<undefined, string> {
  const metadata = decoded(SignedObject, from.freshMetadata);
  if (!metadata.ok) return metadata;
  const { data, signature } = metadata.value;
  const platform = domain.platforms.find(platformId(data));
  if (platform === undefined) return refuse("unknown-platform");
  if (!verifySignature(platform.key, signedBytes(data, metadataNonce), signature)) return refuse("metadata-signature");
  const evidence = decoded(Evidence, from.evidence);
  return evidence.ok ? domain.appraise(evidence.value, platform, quoteNonce) : evidence;
}

function reasonOf(outcome: Outcome<unknown, string>): string {
  return outcome.ok ? "accepted" : outcome.reason;
}

/** How often each reason was given when every single bit was flipped, one at a time. */
function flipEveryBit(
  bytes: Uint8Array,
  judge: (flipped: Uint8Array) => Outcome<unknown, string>,
): Map<string, number> {
  const reasons = new Map<string, number>();
  for (let bit = 0; bit < 8 * bytes.byteLength; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const reason = reasonOf(judge(flipped));
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  assert.equal(
    [...reasons.values()].reduce((a, b) => a + b),
    8 * bytes.byteLength,
  );
  return reasons;
}

function assertOnly(reasons: ReadonlyMap<string, number>, allowed: readonly string[]): void {
  const others = [...reasons.keys()].filter((reason) => !allowed.includes(reason));
  assert.deepEqual(others, [], `reasons seen: ${JSON.stringify([...reasons])}`);
}

describe("token/domain on the captured exchange", () => {
  it("compat accepts 01 to 07 in order, without a calendar", () => {
    const domain = domainFor(COMPAT);
    const platform = enrol(domain, files);
    assert.ok(platform.ok, reasonOf(platform));
    assert.match(platform.value.summary.id, /^[0-9a-f]{64}$/);
    assert.equal(reasonOf(attest(domain, files)), "accepted");
    assert.deepEqual(domain.platforms.list(), [platform.value.summary]);
  });

  it("a calendar behind the end of the EK certificate refuses it", () => {
    const domain = domainFor(COMPAT, { today: () => Date.UTC(2030, 0, 1) });
    const outcome = enrol(domain, files);
    assert.ok(!outcome.ok);
    assert.deepEqual([outcome.reason, outcome.chain], ["ek-chain", "expired"]);
  });

  it("strict refuses the EK certificate that says nothing of a TPM, then the unrestricted AIK, then the missing launch", () => {
    const ek = enrol(domainFor(STRICT), files);
    assert.deepEqual([reasonOf(ek), !ek.ok && ek.chain], ["ek-chain", "extended-key-usage"]);
    const lax = { ...STRICT, ekSaysTpm: false };
    assert.equal(reasonOf(enrol(domainFor(lax), files)), "aik-unrestricted");
    assert.equal(reasonOf(enrol(domainFor({ ...lax, aik: "reference" }), files)), "no-dynamic-launch");
  });

  it("without the vendor's root nothing vouches for the TPM", () => {
    const domain = createDomain({
      store: memoryStore(),
      random: seededRandom(1),
      profile: COMPAT,
      policy: DEFAULT_POLICY,
    });
    assert.equal(reasonOf(enrol(domain, files)), "no-ek-root");
  });

  it("04 and 05 in the place of 06 are refused", () => {
    const domain = domainFor(COMPAT);
    assert.ok(enrol(domain, files).ok);
    assert.equal(reasonOf(attest(domain, { ...files, freshMetadata: files.metadata })), "metadata-signature");
    assert.equal(reasonOf(attest(domain, { ...files, freshMetadata: files.rim })), "unknown-platform");
  });

  it("the same platform is not enrolled twice", () => {
    const domain = domainFor(COMPAT);
    assert.ok(enrol(domain, files).ok);
    assert.equal(reasonOf(enrol(domain, files)), "platform-known");
    assert.equal(domain.platforms.count, 1);
  });
});

describe("token/domain on every single-bit flip", function () {
  this.timeout(120_000);

  it("01_ek.resp.bin", () => {
    const reasons = flipEveryBit(files.ek, (ek) => enrol(domainFor(COMPAT), { ...files, ek }));
    assertOnly(reasons, ["malformed", "answer-malformed", "ek-chain"]);
  });

  it("02_aik.resp.bin", () => {
    const reasons = flipEveryBit(files.aik, (aik) => enrol(domainFor(COMPAT), { ...files, aik }));
    assertOnly(reasons, ["aik-malformed", "aik-unsupported", "credential-not-activated"]);
  });

  it("03_challenge.resp.bin", () => {
    const reasons = flipEveryBit(files.secret, (bad) => enrol(domainFor(COMPAT), { ...files, secret: bad }));
    assertOnly(reasons, ["credential-not-activated"]);
  });

  it("06_metadata_att.resp.bin", () => {
    const domain = domainFor(COMPAT);
    assert.ok(enrol(domain, files).ok);
    const reasons = flipEveryBit(files.freshMetadata, (freshMetadata) => attest(domain, { ...files, freshMetadata }));
    assertOnly(reasons, ["malformed", "unknown-platform", "metadata-signature"]);
  });

  it("07_quote.resp.bin", () => {
    const domain = domainFor(COMPAT);
    assert.ok(enrol(domain, files).ok);
    const reasons = flipEveryBit(files.evidence, (evidence) => attest(domain, { ...files, evidence }));
    assertOnly(reasons, ["malformed", "evidence-signature"]);
  });

  it("the untouched files are accepted by the same judges", () => {
    const domain = domainFor(COMPAT);
    assert.ok(enrol(domain, files).ok);
    assert.equal(reasonOf(attest(domain, files)), "accepted");
    assert.equal(toHex(files.secret), toHex(secret));
  });
});
