import assert from "node:assert/strict";
import { concat, encode } from "../../../shared/bytes/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { DEFAULT_POLICY, Rim } from "../../../shared/protocol/index.ts";
import {
  aikReference,
  pcrOnes,
  pcrZero,
  Tpm2bPublic,
  TpmAlg,
  TpmaObjectBit,
  type TpmtPublic,
} from "../../../shared/tpm/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import type { Outcome } from "../../../token/domain/reasons.ts";
import type { Store } from "../../../token/domain/store.ts";
import { FakeAttester, vendorRoot } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

function domainFor(profile: Profile, store: Store = memoryStore()): Domain {
  return createDomain({ store, random: seededRandom(1), profile, policy: DEFAULT_POLICY });
}

const reasonOf = (outcome: Outcome<unknown, string>): string => (outcome.ok ? "accepted" : outcome.reason);
const publicArea = (area: TpmtPublic) => encode(Tpm2bPublic, area);
const accepted = <T>(outcome: Outcome<T, string>): T => (outcome.ok ? outcome.value : assert.fail(outcome.reason));

describe("enrolment: EK", () => {
  const attester = new FakeAttester();
  const chain = [attester.ekCertificate.der];
  const judge = (
    roots: readonly FakeAttester["ekCertificate"][],
    certs = chain,
    owner?: FakeAttester["ekCertificate"],
  ) => {
    const domain = domainFor(COMPAT);
    domain.roots.add(owner, roots);
    return reasonOf(domain.judgeEndorsement(certs));
  };
  const vendor = attester.vendor.certificate;

  it("is accepted below a configured root, which may come along", () => {
    assert.equal(judge([vendor]), "accepted");
    assert.equal(judge([vendor], [vendor.der, ...chain]), "accepted");
  });

  it("is refused without a root, below a foreign one, empty, in rubbish, or as its own root", () => {
    assert.equal(judge([]), "no-ek-root");
    assert.equal(judge([vendorRoot("other").certificate]), "ek-chain");
    assert.equal(judge([vendor], []), "answer-malformed");
    assert.equal(judge([vendor], [Uint8Array.of(0x30, 0)]), "answer-malformed");
    assert.equal(judge([vendor], [vendor.der]), "ek-chain");
  });

  it("is refused below the owner's root, also where that is among the vendors' roots", () => {
    assert.equal(judge([vendor], chain, vendor), "ek-chain");
  });

  it("is refused when the certificate is not one of an EK", () => {
    const owner = new FakeOwner();
    const domain = domainFor(COMPAT);
    const csr = accepted(domain.requestCertificate());
    assert.equal(judge([owner.root.certificate], [owner.issuing.certificate.der, owner.issue(csr).der]), "ek-chain");
  });
});

describe("enrolment: AIK by profile", () => {
  const kinds = ["reference", "restricted-rsa", "restricted-ecc"] as const;
  const expected = { strict: ["aik-unrestricted", "accepted", "accepted"], compat: ["accepted", "aik-unsupported", "aik-unsupported"] }; // biome-ignore format: two rows
  for (const profile of [STRICT, COMPAT]) {
    it(`${profile.name}: ${kinds.join(", ")} are ${expected[profile.name].join(", ")}`, () => {
      const reasons = kinds.map((aik) =>
        reasonOf(domainFor(profile).judgeAik(publicArea(new FakeAttester({ aik }).aikPublic))),
      );
      assert.deepEqual(reasons, expected[profile.name]);
    });
  }

  const { aikPublic } = new FakeAttester();
  assert.ok(aikPublic.type === TpmAlg.RSA);
  const restricted = new FakeAttester({ aik: "restricted-rsa" }).aikPublic;
  assert.ok(restricted.type === TpmAlg.RSA);
  const compat = (area: TpmtPublic) => reasonOf(domainFor(COMPAT).judgeAik(publicArea(area)));
  const strict = (area: TpmtPublic) => reasonOf(domainFor(STRICT).judgeAik(publicArea(area)));
  const parameters = (area: typeof aikPublic, changed: Partial<typeof aikPublic.parameters>) => ({ ...area, parameters: { ...area.parameters, ...changed } }); // biome-ignore format: one value

  it("compat accepts the exponent in both writings, and refuses each other attribute, policy, exponent and scheme", () => {
    assert.equal(compat(parameters(aikPublic, { exponent: 65_537 })), "accepted");
    assert.equal(compat(parameters(aikPublic, { exponent: 3 })), "aik-unsupported");
    for (const bit of Object.values(TpmaObjectBit)) {
      const objectAttributes: number = aikPublic.objectAttributes ^ bit;
      assert.equal(compat({ ...aikPublic, objectAttributes }), "aik-unsupported", `attribute 0x${bit.toString(16)}`);
    }
    assert.equal(compat({ ...aikPublic, authPolicy: new Uint8Array(32) }), "aik-unsupported");
    assert.equal(compat({ ...aikPublic, nameAlg: TpmAlg.SHA384 }), "aik-unsupported");
    const scheme = { scheme: TpmAlg.RSASSA, hashAlg: TpmAlg.SHA256 } as const;
    assert.equal(compat(parameters(aikPublic, { scheme })), "aik-unsupported");
    assert.equal(
      compat({ ...aikReference, unique: new Uint8Array(128) }),
      "aik-unsupported",
      "1024 bits in a key of 2048",
    );
  });

  it("strict refuses a restricted key of another scheme or with another attribute", () => {
    const scheme = { scheme: TpmAlg.RSASSA, hashAlg: TpmAlg.SHA1 } as const;
    assert.equal(strict(parameters(restricted, { scheme })), "aik-unsupported");
    for (const bit of Object.values(TpmaObjectBit)) {
      const reason = strict({ ...restricted, objectAttributes: restricted.objectAttributes ^ bit });
      assert.equal(reason, bit === TpmaObjectBit.RESTRICTED ? "aik-unrestricted" : "aik-unsupported");
    }
  });

  it("numbers that are no key: an even or too small modulus, a point beside the curve", () => {
    const modulus = restricted.unique;
    const even = modulus.map((byte, i) => (i === modulus.byteLength - 1 ? byte & 0xfe : byte));
    const small = modulus.map((byte, i) => (i < 200 ? 0 : byte));
    for (const unique of [even, small]) assert.equal(strict({ ...restricted, unique }), "aik-unsupported");
    const { aikPublic: ecc } = new FakeAttester({ aik: "restricted-ecc" });
    assert.ok(ecc.type === TpmAlg.ECC);
    const { x } = ecc.unique;
    assert.equal(strict(ecc), "accepted");
    assert.equal(strict({ ...ecc, unique: { x, y: x } }), "aik-unsupported");
  });

  it("what is no TPM2B_PUBLIC is malformed", () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0, 0), concat(publicArea(aikPublic), Uint8Array.of(0))]) {
      assert.equal(reasonOf(domainFor(COMPAT).judgeAik(bytes)), "aik-malformed");
    }
  });
});

describe("enrolment: credential activation", () => {
  for (const ek of ["rsa", "ecc"] as const) {
    it(`only the TPM that holds both the EK (${ek}) and the AIK learns the secret`, () => {
      const attester = new FakeAttester({ ek });
      const other = new FakeAttester({ ek, aik: "restricted-rsa" });
      const domain = domainFor(COMPAT);
      domain.roots.add(undefined, [attester.vendor.certificate]);
      const area = accepted(domain.judgeEndorsement([attester.ekCertificate.der]));
      const aik = accepted(domain.judgeAik(publicArea(attester.aikPublic)));
      const activation = accepted(domain.startActivation(area, aik));
      const secret = attester.activate(activation.credential) ?? assert.fail("not activated");
      assert.equal(secret.byteLength, 32);
      assert.equal(reasonOf(domain.finishActivation(activation, secret)), "accepted");
      assert.equal(other.activate(activation.credential), undefined);
      for (const wrong of [
        new Uint8Array(),
        secret.subarray(1),
        concat(secret, Uint8Array.of(0)),
        new Uint8Array(32),
      ]) {
        assert.equal(reasonOf(domain.finishActivation(activation, wrong)), "credential-not-activated");
      }
      const next = accepted(domain.startActivation(area, aik));
      assert.equal(reasonOf(domain.finishActivation(next, secret)), "credential-not-activated", "a secret serves once");
    });
  }
});

describe("enrolment: metadata and reference values", () => {
  const attester = new FakeAttester();
  const stranger = new FakeAttester({ aik: "restricted-ecc" });
  const domain = domainFor(COMPAT);
  const aik = accepted(domain.judgeAik(publicArea(attester.aikPublic)));
  const nonce = seededRandom(8).bytes(32);

  it("metadata: signature first, then content; the nonce where there is one", () => {
    const data = attester.metadataBytes();
    assert.equal(reasonOf(domain.checkMetadata(attester.signed(data), aik)), "accepted");
    assert.equal(reasonOf(domain.checkMetadata(attester.signed(data, nonce), aik, nonce)), "accepted");
    assert.equal(reasonOf(domain.checkMetadata(attester.signed(data), aik, nonce)), "metadata-signature");
    assert.equal(reasonOf(domain.checkMetadata(attester.signed(data, nonce), aik)), "metadata-signature");
    assert.equal(reasonOf(domain.checkMetadata(stranger.signed(data), aik)), "metadata-signature");
    assert.equal(reasonOf(domain.checkMetadata(attester.signed(attester.rimBytes()), aik)), "metadata-malformed");
    assert.equal(reasonOf(domain.checkMetadata(attester.signed(new Uint8Array(1025)), aik)), "metadata-malformed");
  });

  const rim = (banks: readonly { algo_id: number; pcrs: number; pcr: readonly Uint8Array[] }[]) =>
    attester.signed(encodeCbor(Rim, { update_ctr: 1, banks }));
  const value = (fill: number) => new Uint8Array(32).fill(fill);
  const sha256 = { algo_id: TpmAlg.SHA256, pcrs: 0x0006_00ff, pcr: Array.from({ length: 10 }, (_, i) => value(i + 1)) };
  const judge = (object: ReturnType<typeof rim>, profile = COMPAT) =>
    reasonOf(domainFor(profile).checkReferenceValues(object, aik));

  it("reference values: signature, then content", () => {
    assert.equal(judge(rim([sha256])), "accepted");
    assert.equal(judge(stranger.signed(rim([sha256]).data)), "rim-signature");
    assert.equal(judge(attester.signed(attester.metadataBytes())), "rim-malformed");
    assert.equal(judge(rim([sha256, sha256])), "rim-malformed");
    assert.equal(judge(rim([{ ...sha256, pcrs: 0x0006_00fe }])), "rim-malformed");
    assert.equal(judge(rim([{ ...sha256, pcr: sha256.pcr.map((v) => v.subarray(1)) }])), "rim-malformed");
  });

  it("strict demands all PCRs of the policy and a dynamic launch; compat neither", () => {
    const withLaunch = (pcr17: Uint8Array, pcr18: Uint8Array) =>
      rim([{ ...sha256, pcr: [...sha256.pcr.slice(0, 8), pcr17, pcr18] }]);
    const [ones, zero] = [pcrOnes(TpmAlg.SHA256), pcrZero(TpmAlg.SHA256)];
    const rows = [
      [rim([sha256]), "accepted"],
      [rim([{ ...sha256, pcrs: 0xff, pcr: sha256.pcr.slice(0, 8) }]), "rim-incomplete"],
      [rim([{ ...sha256, algo_id: TpmAlg.SHA1, pcr: sha256.pcr.map((v) => v.subarray(12)) }]), "rim-incomplete"],
      [withLaunch(ones, ones), "no-dynamic-launch"],
      [withLaunch(value(1), ones), "no-dynamic-launch"],
      [withLaunch(ones, value(1)), "no-dynamic-launch"],
      [withLaunch(zero, value(1)), "no-dynamic-launch"],
      [withLaunch(value(1), zero), "no-dynamic-launch"],
    ] as const;
    for (const [object, reason] of rows) {
      assert.equal(judge(object, STRICT), reason);
      assert.equal(judge(object, COMPAT), "accepted");
    }
  });
});

describe("enrolment: several platforms in a full store", () => {
  it("says storage-full, keeps the others", () => {
    const attester = new FakeAttester();
    const store = memoryStore(5000);
    const domain = domainFor(COMPAT, store);
    const aik = accepted(domain.judgeAik(publicArea(attester.aikPublic)));
    const enrol = (serialNumber: string) => {
      const metadata = new FakeAttester({ serialNumber }).metadataBytes();
      return reasonOf(domain.enrol({ aik, metadata, rim: attester.rimBytes() }));
    };
    assert.deepEqual(
      [enrol("a"), enrol("b"), enrol("b"), enrol("c")],
      ["accepted", "accepted", "platform-known", "storage-full"],
    );
    assert.deepEqual(new Set(domain.platforms.list().map(({ serialNumber }) => serialNumber)), new Set(["a", "b"]));
  });
});
