import assert from "node:assert/strict";
import { concat, encode, u32be } from "../../../shared/bytes/index.ts";
import { DEFAULT_POLICY, type Evidence, makeSignature, type PolicyBank } from "../../../shared/protocol/index.ts";
import { type PcrBank, pcrOnes, pcrZero, TpmAlg, TpmSt } from "../../../shared/tpm/index.ts";
import { type AppraisalContext, appraiseEvidence } from "../../../token/domain/appraisal.ts";
import { policyDigest } from "../../../token/domain/explanation.ts";
import type { AppraisalRefusal } from "../../../token/domain/reasons.ts";
import { type AikKind, FakeAttester } from "../../support/fake-attester.ts";
import { seededRandom } from "../../support/random.ts";

const nonce = seededRandom(5).bytes(32);
const asked = (policy: readonly PolicyBank[]) => ({
  nonce,
  banks: policy.map(({ algorithm, mask }) => ({ algo_id: algorithm, pcrs: mask })),
});
const contextOf = (attester: FakeAttester, policy = DEFAULT_POLICY, reference = attester.banks): AppraisalContext => ({
  key: attester.aik,
  policy,
  reference,
  expected: policyDigest(reference, policy),
});

for (const aik of ["reference", "restricted-ecc"] satisfies readonly AikKind[]) {
  describe(`appraisal in six steps, AIK ${aik}`, () => {
    const attester = new FakeAttester({ aik });
    const context = contextOf(attester);
    const resigned = (data: Uint8Array): Evidence => ({ data, signature: makeSignature(attester.aik, data) });
    const alteredQuote = (alter: FakeAttester["alterQuote"]): Evidence => {
      attester.alterQuote = alter;
      const evidence = attester.quote(asked(DEFAULT_POLICY));
      attester.alterQuote = (quote) => quote;
      return evidence;
    };
    const good = attester.quote(asked(DEFAULT_POLICY));
    const reasonOf = (evidence: Evidence, against = context): AppraisalRefusal | "trusted" => {
      const appraisal = appraiseEvidence(evidence, { nonce }, against);
      return appraisal.ok ? "trusted" : appraisal.reason;
    };
    const bank = (hash: number, mask: number) => ({ hash, pcrSelect: mask });
    const mask = DEFAULT_POLICY[0]?.mask ?? 0;

    it("trusts a quote of the recorded PCRs", () => {
      assert.equal(reasonOf(good), "trusted");
    });

    const rows: readonly (readonly [name: string, reason: AppraisalRefusal, evidence: () => Evidence])[] = [
      ["1: a signature of another key", "evidence-signature", () => ({ ...good, signature: makeSignature(new FakeAttester({ aik: aik === "reference" ? "restricted-ecc" : "reference" }).aik, good.data) })],
      ["1: a signature with one byte more", "evidence-signature", () => ({ ...good, signature: concat(good.signature, Uint8Array.of(0)) })],
      ["1: an empty signature", "evidence-signature", () => ({ ...good, signature: new Uint8Array() })],
      ["2: signed data without TPM_GENERATED_VALUE", "not-a-quote", () => resigned(concat(Uint8Array.of(0), good.data.subarray(1)))],
      ["2: a type that no attestation has", "not-a-quote", () => resigned(concat(encode(u32be, 0xff544347), Uint8Array.of(0x80, 0x99), good.data.subarray(6)))],
      [
        "2: a certification instead of a quote",
        "not-a-quote",
        () => alteredQuote(({ attested, ...common }) => ({ ...common, type: TpmSt.ATTEST_CREATION, attested: { objectName: attested.pcrDigest, creationHash: attested.pcrDigest } })),
      ],
      ["2: metadata signed by the AIK", "not-a-quote", () => resigned(attester.metadataBytes())],
      ["2: a quote that is cut short", "evidence-malformed", () => resigned(good.data.subarray(0, -1))],
      ["2: a quote with a byte behind it", "evidence-malformed", () => resigned(concat(good.data, Uint8Array.of(0)))],
      ["3: another nonce", "nonce-mismatch", () => alteredQuote((quote) => ({ ...quote, extraData: seededRandom(6).bytes(32) }))],
      ["3: the nonce and more", "nonce-mismatch", () => alteredQuote((quote) => ({ ...quote, extraData: concat(nonce, Uint8Array.of(0)) }))],
      ["3: no nonce", "nonce-mismatch", () => alteredQuote((quote) => ({ ...quote, extraData: new Uint8Array() }))],
      ["4: an unsafe clock", "tpm-clock-unsafe", () => alteredQuote((quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, safe: 0 } }))],
      ["5: no bank", "pcr-selection", () => attester.quote({ nonce, banks: [] })],
      ["5: fewer PCRs", "pcr-selection", () => attester.quote({ nonce, banks: [{ algo_id: TpmAlg.SHA256, pcrs: 0xff }] })],
      ["5: more PCRs", "pcr-selection", () => attester.quote({ nonce, banks: [{ algo_id: TpmAlg.SHA256, pcrs: mask | 0x100 }] })],
      ["5: another bank", "pcr-selection", () => alteredQuote((quote) => ({ ...quote, attested: { ...quote.attested, pcrSelect: [bank(TpmAlg.SHA1, mask)] } }))],
      ["5: a bank besides", "pcr-selection", () => alteredQuote((quote) => ({ ...quote, attested: { ...quote.attested, pcrSelect: [bank(TpmAlg.SHA256, mask), bank(TpmAlg.SHA1, 1)] } }))],
      ["5: the bank twice", "pcr-selection", () => alteredQuote((quote) => ({ ...quote, attested: { ...quote.attested, pcrSelect: [bank(TpmAlg.SHA256, mask), bank(TpmAlg.SHA256, mask)] } }))],
      ["6: another digest", "pcr-mismatch", () => alteredQuote((quote) => ({ ...quote, attested: { ...quote.attested, pcrDigest: new Uint8Array(32) } }))],
      ["6: a digest of another size", "pcr-mismatch", () => alteredQuote((quote) => ({ ...quote, attested: { ...quote.attested, pcrDigest: quote.attested.pcrDigest.subarray(0, 20) } }))],
      ["6: an empty digest", "pcr-mismatch", () => alteredQuote((quote) => ({ ...quote, attested: { ...quote.attested, pcrDigest: new Uint8Array() } }))],
    ]; // biome-ignore format: a table
    for (const [name, reason, evidence] of rows)
      it(`${name}: ${reason}`, () => assert.equal(reasonOf(evidence()), reason));

    it("the first step that fails is the reason", () => {
      const everything = alteredQuote((quote) => ({
        ...quote,
        extraData: new Uint8Array(),
        clockInfo: { ...quote.clockInfo, safe: 0 },
        attested: { pcrSelect: [], pcrDigest: new Uint8Array() },
      }));
      assert.equal(reasonOf({ ...everything, signature: good.signature }), "evidence-signature");
      assert.equal(reasonOf(everything), "nonce-mismatch");
    });

    it("one PCR of the policy that changed is enough, one outside is not", () => {
      const now = new FakeAttester({ aik });
      for (let pcr = 0; pcr < 24; pcr++) {
        now.pcrs = attester.pcrs.map((value, i) => (i === pcr ? pcrZero(TpmAlg.SHA256) : value));
        const expected = ((mask >>> pcr) & 1) === 1 ? "pcr-mismatch" : "trusted";
        assert.equal(reasonOf(now.quote(asked(DEFAULT_POLICY))), expected, `PCR ${pcr}`);
      }
    });

    it("reference values that lack a PCR of the policy trust nothing", () => {
      const lacking = [{ hash: TpmAlg.SHA256, pcrSelect: 0xff, values: attester.pcrs.slice(0, 8) }];
      assert.equal(reasonOf(good, contextOf(attester, DEFAULT_POLICY, lacking)), "pcr-mismatch");
      assert.equal(reasonOf(good, contextOf(attester, DEFAULT_POLICY, [])), "pcr-mismatch");
    });
  });
}

describe("appraisal: policies of several banks", () => {
  it("takes the digest over the banks in the policy's order", () => {
    const attester = new FakeAttester();
    const policy = [
      { algorithm: TpmAlg.SHA256, mask: 1 },
      { algorithm: TpmAlg.SHA1, mask: 2 },
    ];
    const sha1: PcrBank = { hash: TpmAlg.SHA1, pcrSelect: 2, values: [pcrOnes(TpmAlg.SHA1)] };
    const context = contextOf(attester, policy, [...attester.banks, sha1]);
    Object.defineProperty(attester, "banks", { value: context.reference });
    assert.ok(appraiseEvidence(attester.quote(asked(policy)), { nonce }, context).ok);
  });
});

describe("appraisal: what there is to explain", () => {
  const attester = new FakeAttester();
  const now = new FakeAttester();
  now.pcrs = attester.pcrs.map((value, pcr) => (pcr === 2 ? pcrZero(TpmAlg.SHA256) : value));

  it("is the quoted digest, when all but the PCRs is in order", () => {
    const { unexpected, start, ...refusal } = appraiseEvidence(
      now.quote(asked(DEFAULT_POLICY)),
      { nonce },
      contextOf(attester),
    );
    assert.deepEqual(refusal, { ok: false, reason: "pcr-mismatch", detail: undefined, chain: undefined });
    assert.equal(unexpected?.quotedDigest.byteLength, 32);
    assert.deepEqual([start?.resetCount, start?.restartCount], [1, 0]);
  });

  it("is nothing in a forged quote", () => {
    const forged = { ...now.quote(asked(DEFAULT_POLICY)), signature: new Uint8Array(256) };
    assert.equal(appraiseEvidence(forged, { nonce }, contextOf(attester)).unexpected, undefined);
  });
});
