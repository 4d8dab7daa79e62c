import assert from "node:assert/strict";
import { concat, decode, encode } from "../../../shared/bytes/index.ts";
import { generateRsaKey, type PrivateKey, signMessage } from "../../../shared/crypto/index.ts";
import { anyElement, Tag } from "../../../shared/x509/der.ts";
import { bitString } from "../../../shared/x509/der-types.ts";
import {
  AlgorithmIdentifierDer,
  type Certificate,
  CertificatePoliciesDer,
  type ChainRefusal,
  type ChainRequest,
  chainRefusals,
  ExtendedKeyUsageDer,
  type Extension,
  extension,
  identifierOf,
  keyIdentifier,
  type NameConstraints,
  NameConstraintsDer,
  nameOf,
  Oid,
  parseCertificate,
  SubjectAltNameDer,
  validateChain,
  validateOwnerChain,
} from "../../../shared/x509/index.ts";
import { seededRandom } from "../../support/random.ts";
import {
  akid,
  BEGIN,
  ca,
  constraints,
  END,
  ed25519,
  ek,
  flipped,
  named,
  type Party,
  p256,
  random,
  tokenCertificate,
  usage,
  type Wish,
} from "../../support/x509.ts";

const root = ca({ name: "Root", key: p256("root") });
const mid = (wish: Partial<Wish> = {}) => ca({ name: "Intermediate", key: p256("mid"), issuer: root, ...wish });
const leafOf = (issuer: Party, wish: Partial<Wish> = {}) => ek({ name: "EK", key: p256("leaf"), issuer, ...wish });
const seen = new Set<ChainRefusal>();

function request(leaf: Party, ...intermediates: readonly Party[]): ChainRequest {
  return {
    leaf: leaf.certificate,
    intermediates: intermediates.map(({ certificate }) => certificate),
    roots: [root.certificate],
    purpose: "ek",
  };
}

function trusted(chain: ChainRequest, length: number): void {
  const verdict = validateChain(chain);
  assert.ok(verdict.ok, verdict.ok ? "" : `${verdict.reason}: ${verdict.detail}`);
  assert.equal(verdict.path.length, length);
  assert.deepEqual(verdict.warnings, []);
}

function refused(chain: ChainRequest, reason: ChainRefusal, detail?: RegExp): void {
  const verdict = validateChain(chain);
  assert.equal(verdict.ok ? "trusted" : verdict.reason, reason);
  if (!verdict.ok && detail !== undefined) assert.match(verdict.detail, detail);
  seen.add(reason);
}

const unknown: Extension = { oid: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) };
const limits = (value: Partial<NameConstraints>) =>
  extension(Oid.nameConstraints, true, NameConstraintsDer, { permitted: undefined, excluded: undefined, ...value });
const dns = (...names: readonly string[]) =>
  extension(
    Oid.subjectAltName,
    false,
    SubjectAltNameDer,
    names.map((text) => ({ kind: "dns" as const, text })),
  );
const under = (name: string) => [{ kind: "directory" as const, name: named(name) }];

describe("shared/x509 path", () => {
  it("a leaf directly below the root, and below one and two intermediates in any order", () => {
    trusted(request(leafOf(root)), 2);
    const second = ca({ name: "Second", key: p256("second"), issuer: mid() });
    trusted(request(leafOf(mid()), mid()), 3);
    trusted(request(leafOf(second), second, mid()), 4);
    trusted(request(leafOf(second), mid(), second), 4);
  });

  it("the root may come along, and what leads nowhere", () => {
    const stranger = ca({ name: "Stranger", key: p256("stranger") });
    trusted(request(leafOf(mid()), root, stranger, mid()), 3);
  });

  it("a root is trusted by its bytes: signature, dates, extensions are not judged", () => {
    const wish = {
      name: "Root",
      key: p256("root"),
      extensions: [unknown, constraints(false)],
      without: [Oid.keyUsage],
    };
    const odd = ca({ ...wish, spec: { notAfter: BEGIN } });
    const broken = parseCertificate(flipped(odd.certificate.der, 8 * (odd.certificate.der.byteLength - 4)));
    trusted({ ...request(leafOf(root)), roots: [broken], today: BEGIN + 1000 }, 2);
    refused({ ...request(leafOf(root)), roots: [broken], today: END + 1000 }, "expired", /EK/);
  });

  it("another certificate of the same name and key is not the root", () => {
    const twin = ca({ name: "Root", key: p256("root"), spec: { notAfter: END + 1000 } });
    refused(
      { ...request(leafOf(root)), intermediates: [twin.certificate], roots: [mid().certificate] },
      "untrusted-root",
    );
  });

  it("dates only when the day is known", () => {
    const chain = request(leafOf(mid()), mid());
    trusted(chain, 3);
    for (const today of [BEGIN, END]) trusted({ ...chain, today }, 3);
    refused({ ...chain, today: BEGIN - 1 }, "not-yet-valid");
    refused({ ...chain, today: END + 1 }, "expired");
    trusted({ ...request(leafOf(root, { spec: { notAfter: undefined } })), today: Date.UTC(9000, 0, 1) }, 2);
  });

  it("signature-invalid: other key under the same name, turned bits", () => {
    const forger = ca({ name: "Root", key: p256("forger") });
    const forged = leafOf(forger, { extensions: [akid(keyIdentifier(root.key))] });
    refused(request(forged), "signature-invalid");
    const { certificate } = leafOf(root);
    const last = 8 * certificate.der.byteLength - 1;
    refused({ ...request(leafOf(root)), leaf: parseCertificate(flipped(certificate.der, last)) }, "signature-invalid");
  });

  it("issuer-mismatch and key-identifier-mismatch", () => {
    refused(request(leafOf(root, { spec: { issuer: named("Somebody") } })), "issuer-mismatch");
    refused(request(leafOf(root, { extensions: [akid(keyIdentifier(p256("other")))] })), "key-identifier-mismatch");
    // Where one of the two has no identifier, name and signature decide.
    trusted(request(leafOf(root, { without: [Oid.authorityKeyIdentifier] })), 2);
    refused(
      request(leafOf(root, { spec: { issuer: named("Somebody") }, without: [Oid.authorityKeyIdentifier] })),
      "untrusted-root",
    );
  });

  it("untrusted-root, forbidden-root", () => {
    refused(request(ek({ name: "EK", key: p256("leaf") })), "untrusted-root", /signed itself/);
    refused(request(leafOf(mid())), "untrusted-root", /Intermediate, which is not here/);
    refused({ ...request(leafOf(root)), roots: [] }, "untrusted-root");
    const owner = ca({ name: "Owner", key: p256("owner") });
    const chain = { ...request(leafOf(owner)), roots: [root.certificate, owner.certificate] };
    refused({ ...chain, forbiddenRoots: [owner.certificate] }, "forbidden-root");
  });

  it("a CA is marked as one, may sign certificates, and keeps its path length", () => {
    const judged = (wish: Partial<Wish>) => request(leafOf(mid(wish)), mid(wish));
    refused(judged({ extensions: [constraints(false)] }), "not-a-ca");
    refused(judged({ without: [Oid.basicConstraints] }), "not-a-ca");
    refused(judged({ extensions: [usage("cRLSign")] }), "key-usage", /keyCertSign/);
    trusted(judged({ without: [Oid.keyUsage] }), 3);
    const short = mid({ extensions: [constraints(true, 0)] });
    const second = ca({ name: "Second", key: p256("second"), issuer: short });
    refused(request(leafOf(second), second, short), "path-too-long");
    trusted(request(leafOf(short), short), 3);
  });

  it("self-issued CAs do not count for the path length", () => {
    const short = mid({ extensions: [constraints(true, 0)] });
    const renewed = ca({ name: "Intermediate", key: p256("renewed"), issuer: short });
    trusted(request(leafOf(renewed), renewed, short), 4);
  });

  it("an EK certificate: no CA, the usage of its key, version 3, a subject somewhere", () => {
    refused(request(leafOf(root, { extensions: [constraints(true), usage("keyAgreement")] })), "is-a-ca");
    trusted(request(leafOf(root, { without: [Oid.basicConstraints] })), 2);
    const unnamed = { extensions: [usage("keyEncipherment")], without: [Oid.extendedKeyUsage] };
    refused(request(leafOf(root, unnamed)), "key-usage", /keyAgreement/);
    refused(request(leafOf(root, { without: [Oid.keyUsage] })), "key-usage");
    refused(request(leafOf(root, { key: ed25519("leaf"), extensions: [usage("keyAgreement")] })), "key-usage");
    const nameless = { spec: { subject: [] } };
    const tpm = { kind: "directory" as const, name: nameOf([[Oid.tpmManufacturer, "id:00000000"]]) };
    const altName = (critical: boolean) => extension(Oid.subjectAltName, critical, SubjectAltNameDer, [tpm]);
    refused(request(leafOf(root, nameless)), "subject-missing");
    refused(request(leafOf(root, { ...nameless, extensions: [altName(false)] })), "subject-missing");
    trusted(request(leafOf(root, { ...nameless, extensions: [altName(true)] })), 2);
  });

  it("extended key usages that were written down bind", () => {
    const purposes = (critical: boolean, ...oids: readonly string[]) =>
      extension(Oid.extendedKeyUsage, critical, ExtendedKeyUsageDer, oids);
    const serverAuth = "1.3.6.1.5.5.7.3.1";
    trusted(request(leafOf(root, { extensions: [purposes(true, Oid.ekCertificateUsage)] })), 2);
    trusted(request(leafOf(root, { extensions: [purposes(true, Oid.anyExtendedKeyUsage)] })), 2);
    refused(request(leafOf(root, { extensions: [purposes(false, serverAuth)] })), "extended-key-usage");
    const token = (critical: boolean) =>
      tokenCertificate({ name: "T", key: ed25519("t"), issuer: root, extensions: [purposes(critical, serverAuth)] });
    trusted({ ...request(token(false)), purpose: "token" }, 2);
    refused({ ...request(token(true)), purpose: "token" }, "extended-key-usage");
  });

  it("unknown critical extensions are refused anywhere below the root, critical policies are not", () => {
    refused(request(leafOf(root, { extensions: [unknown] })), "unknown-critical-extension", /1\.2\.3\.4/);
    refused(
      request(leafOf(mid({ extensions: [unknown] })), mid({ extensions: [unknown] })),
      "unknown-critical-extension",
    );
    trusted(request(leafOf(root, { extensions: [{ ...unknown, critical: false }] })), 2);
    const policies = extension(Oid.certificatePolicies, true, CertificatePoliciesDer, ["2.5.29.32.0"]);
    trusted(request(leafOf(root, { extensions: [policies] })), 2);
  });

  it("name constraints: directory and DNS names evaluated, other forms refused where they apply", () => {
    const judged = (value: Partial<NameConstraints>, ...more: readonly Extension[]) => {
      const issuer = mid({ extensions: [limits(value)] });
      return request(leafOf(issuer, { extensions: more }), issuer);
    };
    trusted(judged({ permitted: under("EK") }), 3);
    refused(judged({ permitted: under("Somebody") }), "name-constraint", /not permitted/);
    refused(judged({ excluded: under("EK") }), "name-constraint", /excluded/);
    trusted(judged({ permitted: [{ kind: "dns", text: "example.com" }] }, dns("a.Example.com", "example.com")), 3);
    refused(judged({ permitted: [{ kind: "dns", text: "example.com" }] }, dns("badexample.com")), "name-constraint");
    trusted(judged({ permitted: [{ kind: "email", text: "example.com" }] }), 3);
    const mail = extension(Oid.subjectAltName, false, SubjectAltNameDer, [{ kind: "email", text: "a@example.com" }]);
    refused(judged({ permitted: [{ kind: "email", text: "example.com" }] }, mail), "name-constraint", /not evaluated/);
    refused(request(leafOf(root, { extensions: [limits({ permitted: under("EK") })] })), "name-constraint", /no CA/);
  });

  it("weak-key below the root", () => {
    const weak: PrivateKey = generateRsaKey(seededRandom(5), 1024);
    refused(request(leafOf(root, { key: weak, extensions: [usage("keyEncipherment")] })), "weak-key");
  });

  it("algorithm-unsupported: RSA with SHA-1", () => {
    // The identifiers of SHA-256 with RSA turned into those of SHA-1, inside and out: what counts is that it is not even tried.
    const key = ca({ name: "R", key: generateRsaKey(seededRandom(6), 2048) });
    const { der } = ek({ name: "EK", key: p256("leaf"), issuer: key }).certificate;
    const text = Buffer.from(der).toString("hex").replaceAll("2a864886f70d01010b", "2a864886f70d010105");
    const leaf = parseCertificate(Buffer.from(text, "hex"));
    refused({ leaf, intermediates: [], roots: [key.certificate], purpose: "ek" }, "algorithm-unsupported");
  });

  it("version: a certificate of version 1", () => {
    const plain = leafOf(root, { spec: { extensions: [] } });
    const leaf = parseCertificate(asVersion1(plain.certificate));
    assert.equal(leaf.version, 1);
    refused({ ...request(plain), leaf }, "version");
  });

  it("loop: two CAs that vouch for each other", () => {
    const keys = [p256("loop a"), p256("loop b")] as const;
    const seedOf = (name: string, key: PrivateKey) => ca({ name, key });
    const a = ca({ name: "A", key: keys[0], issuer: seedOf("B", keys[1]) });
    const b = ca({ name: "B", key: keys[1], issuer: seedOf("A", keys[0]) });
    refused(request(leafOf(a), a, b), "loop");
  });

  it("too-many-certificates, and names that repeat do not make work without end", () => {
    const many = Array.from({ length: 8 }, (_, i) => ca({ name: `CA ${i}`, key: p256(`ca ${i}`) }));
    refused(request(leafOf(root), ...many), "too-many-certificates");
    const keys = Array.from({ length: 7 }, (_, i) => p256(`same ${i}`));
    const bare = [Oid.authorityKeyIdentifier, Oid.subjectKeyIdentifier];
    const first = ca({ name: "Same", key: p256("same 0"), without: bare });
    const same = keys.map((key, i) =>
      ca({ name: "Same", key, issuer: i === 0 ? first : { ...first, key: keys[i - 1] ?? key }, without: bare }),
    );
    const verdict = validateChain(request(leafOf(first, { without: bare }), ...same));
    assert.equal(verdict.ok, false);
  });

  it("a token certificate with its issuer's key but another issuer's name is let pass with a warning, an EK is not", () => {
    const issuing = mid();
    const wish = { name: "Token", key: ed25519("token"), issuer: issuing, spec: { issuer: named("Root") } };
    const verdict = validateChain({ ...request(tokenCertificate(wish), issuing), purpose: "token" });
    assert.ok(verdict.ok);
    assert.equal(verdict.warnings.length, 1);
    assert.match(verdict.warnings[0] ?? "", /CN=Token: names CN=Root as its issuer, signed by CN=Intermediate/);
    refused({ ...request(ek({ ...wish, key: p256("leaf") }), issuing), purpose: "ek" }, "issuer-mismatch");
  });

  it("a token certificate needs digitalSignature where it has a key usage", () => {
    const judged = (wish: Partial<Wish>) => ({
      ...request(tokenCertificate({ name: "Token", key: ed25519("token"), issuer: root, ...wish })),
      purpose: "token" as const,
    });
    trusted(judged({}), 2);
    trusted(judged({ without: [Oid.keyUsage] }), 2);
    refused(judged({ extensions: [usage("keyAgreement")] }), "key-usage", /digitalSignature/);
    refused(judged({ extensions: [constraints(true)] }), "is-a-ca");
  });

  describe("owner chain", () => {
    const intermediate = mid({ extensions: [constraints(true, 1)] });
    const issuing = ca({
      name: "Issuing",
      key: p256("issuing"),
      issuer: intermediate,
      extensions: [constraints(true, 0)],
    });
    const chain = (...parties: readonly Party[]) => ({
      certificates: parties.map(({ certificate }) => certificate),
      root: root.certificate,
    });
    const subjects = (path: readonly Certificate[]) => path.map(({ subject }) => subject.flat()[0]?.text);
    const no = (value: ReturnType<typeof chain>, reason: ChainRefusal) => {
      const verdict = validateOwnerChain(value);
      assert.equal(verdict.ok ? "trusted" : verdict.reason, reason);
      seen.add(reason);
    };

    it("in every order, with the root and without it", () => {
      const orders = [
        [root, intermediate, issuing],
        [issuing, intermediate, root],
        [intermediate, root, issuing],
        [intermediate, issuing],
        [issuing, intermediate],
      ];
      for (const order of orders) {
        const verdict = validateOwnerChain(chain(...order));
        assert.ok(verdict.ok, verdict.ok ? "" : verdict.detail);
        assert.deepEqual(subjects(verdict.path), ["Issuing", "Intermediate", "Root"]);
      }
      const verdict = validateOwnerChain(chain(root, intermediate));
      assert.ok(verdict.ok);
    });

    it("one or two CAs, all of them part of it, ending in this root", () => {
      no(chain(root), "issuing-ca-missing");
      no(chain(), "issuing-ca-missing");
      no(chain(root, intermediate, issuing, mid()), "too-many-certificates");
      no(chain(root, intermediate, ca({ name: "Aside", key: p256("aside"), issuer: root })), "unused-certificate");
      no(chain(ca({ name: "Foreign", key: p256("foreign") })), "untrusted-root");
      no(chain(root, leafOf(root)), "not-a-ca");
    });

    it("the issuing CA counts for path lengths", () => {
      const short = mid({ extensions: [constraints(true, 0)] });
      no(chain(short, ca({ name: "Issuing", key: p256("issuing"), issuer: short })), "path-too-long");
    });

    it("dates when the day is known", () => {
      const dated = (today: number) => ({ ...chain(intermediate, issuing), today });
      assert.ok(validateOwnerChain(dated(BEGIN)).ok);
      no(dated(END + 1), "expired");
    });
  });

  describe("closed list", () => {
    it("every reason of the closed list was shown", () => {
      assert.deepEqual(
        chainRefusals.filter((reason) => !seen.has(reason)),
        [],
      );
    });
  });
});

/** The same certificate without `[0] version`, signed anew by the root. */
function asVersion1({ tbs }: Certificate): Uint8Array {
  const VERSION_BYTES = 5;
  const sequence = (contents: Uint8Array) => encode(anyElement, { tag: Tag.Sequence, contents });
  const old = sequence(decode(anyElement, tbs).contents.subarray(VERSION_BYTES));
  const signature = signMessage(root.key, "ecdsa-sha256", old, random);
  return sequence(
    concat(old, encode(AlgorithmIdentifierDer, identifierOf("ecdsa-sha256")), encode(bitString, signature)),
  );
}
