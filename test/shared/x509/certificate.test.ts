import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { CodecError, decode, equal, toHex } from "../../../shared/bytes/index.ts";
import { generateEcKey, type PrivateKey, type SignatureScheme } from "../../../shared/crypto/index.ts";
import {
  BasicConstraintsDer,
  buildCertificate,
  buildEkCertificate,
  buildIntermediate,
  buildRoot,
  buildTokenCertificate,
  type Certificate,
  decodeName,
  decodePublicKey,
  encodePublicKey,
  isSignedBy,
  modulusBits,
  nameOf,
  Oid,
  parseCertificate,
  printName,
  readCertificates,
  tokenSubject,
  toPem,
  validateChain,
} from "../../../shared/x509/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";
import { seededRandom } from "../../support/random.ts";
import { BEGIN, ca, END, ed25519, ek, flipped, named, p256, random, rsa } from "../../support/x509.ts";

const vectors = new URL("../../vectors/v0/", import.meta.url);
const vector = (name: string) => new Uint8Array(readFileSync(new URL(name, vectors)));
const first = ([one]: readonly Certificate[]): Certificate => one ?? assert.fail("no certificate");
const node = ({ der }: Certificate) => new X509Certificate(der);
const keys = (): readonly PrivateKey[] => [
  rsa("builder"),
  p256("builder"),
  generateEcKey(seededRandom(3), "P-384"),
  ed25519("builder"),
];

describe("shared/x509 certificate", () => {
  it("the captured EK certificate (test/vectors/v0) field by field", () => {
    const ekCertificate = parseCertificate(vector("ek_cert.der"));
    assert.equal(ekCertificate.version, 3);
    assert.equal(toHex(ekCertificate.serial), "4daf49b342dcc9e32e92c6461ce54593accda2ac");
    assert.equal(printName(ekCertificate.issuer), "C=PL,O=Fobnail,ST=State,CN=CA certificate");
    assert.equal(printName(ekCertificate.subject), "C=PL,O=Fobnail,ST=State,CN=EK certificate");
    assert.equal(ekCertificate.notBefore, Date.UTC(2026, 10, 21, 4, 48, 52));
    assert.equal(ekCertificate.notAfter, Date.UTC(2026, 11, 21, 4, 48, 52));
    assert.equal(ekCertificate.signatureScheme, "rsa-pkcs1-sha256");
    const { extensions, publicKey } = ekCertificate;
    assert.ok(publicKey.type === "rsa" && modulusBits(publicKey) === 2048 && publicKey.e === 65537);
    assert.deepEqual(extensions.basicConstraints, { ca: false, pathLength: undefined });
    assert.deepEqual(extensions.keyUsage, ["keyEncipherment"]);
    const keyId = extensions.authorityKeyIdentifier?.keyIdentifier ?? assert.fail("no AKI");
    assert.equal(toHex(keyId), "905ee48ca07b2cea539aeed21ff44f11592adcc9");
    assert.deepEqual(extensions.unknownCritical, []);
  });

  it("the captured chain: trusted without a calendar, expired with one after 2026-12-21", () => {
    const root = first(readCertificates(vector("ek_ca_cert.pem")));
    const chain = {
      leaf: parseCertificate(vector("ek_cert.der")),
      intermediates: [],
      roots: [root],
      purpose: "ek" as const,
    };
    assert.equal(validateChain(chain).ok, true);
    assert.equal(validateChain({ ...chain, today: Date.UTC(2026, 11, 1) }).ok, true);
    const late = validateChain({ ...chain, today: Date.UTC(2026, 11, 22) });
    assert.equal(late.ok ? "trusted" : late.reason, "expired");
  });

  it("every turned bit of the captured EK certificate is refused", () => {
    const roots = readCertificates(vector("ek_ca_cert.pem"));
    const good = vector("ek_cert.der");
    for (let bit = 0; bit < 8 * good.byteLength; bit++) {
      let verdict: ReturnType<typeof validateChain>;
      try {
        const leaf = parseCertificate(flipped(good, bit));
        verdict = validateChain({ leaf, intermediates: [], roots, purpose: "ek" });
      } catch (error) {
        assert.ok(error instanceof CodecError, `bit ${bit}: ${String(error)}`);
        continue;
      }
      assert.equal(verdict.ok, false, `bit ${bit} was accepted`);
    }
  });

  it("is strict, and throws nothing but CodecError", () => {
    const good = vector("ek_cert.der");
    assertStrict("certificate", parseCertificate, good);
    const built = ek({ name: "EK", key: p256("leaf"), issuer: ca({ name: "CA", key: p256("ca") }) });
    fuzzDecoder("certificate", parseCertificate, [good, built.certificate.der]);
  });

  it("keeps its own copy of what it was given", () => {
    const bytes = vector("ek_cert.der");
    const certificate = parseCertificate(bytes);
    const tbs = toHex(certificate.tbs);
    bytes.fill(0);
    assert.equal(toHex(certificate.tbs), tbs);
  });

  it("node reads what is built, and finds the signatures right, for every kind of key and signature", () => {
    const schemesOf = (key: PrivateKey): readonly SignatureScheme[] => {
      if (key.type === "ed25519") return ["ed25519"];
      if (key.type === "ec") return ["ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"];
      const hashes = ["sha256", "sha384", "sha512"] as const;
      return hashes.flatMap((hash) => [`rsa-pkcs1-${hash}`, `rsa-pss-${hash}`] as const);
    };
    const schemes = keys().flatMap((key) => schemesOf(key).map((scheme) => ({ key, scheme })));
    for (const { key, scheme: signatureScheme } of schemes) {
      const { certificate } = ca({ name: "CA", key, spec: { signatureScheme } });
      assert.equal(certificate.signatureScheme, signatureScheme);
      assert.ok(isSignedBy(certificate, certificate.publicKeyInfo), signatureScheme);
      const seen = node(certificate);
      assert.ok(seen.verify(seen.publicKey), signatureScheme);
      assert.ok(seen.ca && seen.checkIssued(seen));
      assert.deepEqual(new Uint8Array(seen.publicKey.export({ type: "spki", format: "der" })), encodePublicKey(key));
      const other = p256("somebody else");
      const stranger = ca({ name: "CA", key: other }).certificate;
      assert.equal(isSignedBy(certificate, stranger.publicKeyInfo), false);
    }
  });

  it("the same keys, dates and randomness make the same bytes", () => {
    for (const key of keys()) {
      const spec = { subject: named("CA"), key, pathLength: undefined, notBefore: BEGIN, notAfter: END };
      const [a, b] = [1, 1].map((seed) => buildRoot(spec, seededRandom(seed)).certificate.der);
      assert.deepEqual(a, b);
    }
  });

  it("public keys, both ways", () => {
    for (const key of keys()) {
      const der = encodePublicKey(key);
      const again = decodePublicKey(der);
      assert.deepEqual(encodePublicKey(again), der);
      assertStrict(key.type, decodePublicKey, der);
    }
    const off = flipped(encodePublicKey(p256("builder")), 8 * 40);
    assert.throws(() => decodePublicKey(off), /not on the curve/);
    fuzzDecoder("public key", decodePublicKey, keys().map(encodePublicKey));
  });

  it("dates up to 2049 are UTCTime, later ones GeneralizedTime, and no end is 99991231235959Z", () => {
    const dated = (notAfter: number | undefined) => ca({ name: "CA", key: p256("ca"), spec: { notAfter } }).certificate;
    const last = Date.UTC(2049, 11, 31, 23, 59, 59);
    for (const end of [last, last + 1000, Date.UTC(2050, 1, 29 - 1), undefined]) {
      const certificate = dated(end);
      assert.equal(certificate.notAfter, end);
      assert.equal(Date.parse(node(certificate).validTo), end ?? Date.UTC(9999, 11, 31, 23, 59, 59));
    }
    assert.ok(Buffer.from(dated(last).der).includes("491231235959Z"));
    assert.ok(Buffer.from(dated(last + 1000).der).includes("20500101000000Z"));
  });

  it("an extension that stands twice, an algorithm that is not the signed one, an empty issuer", () => {
    const { der } = ca({ name: "CA", key: p256("ca") }).certificate;
    const hex = toHex(der);
    const parse = (text: string) => parseCertificate(new Uint8Array(Buffer.from(text, "hex")));
    // subjectKeyIdentifier renamed to authorityKeyIdentifier, which is there already
    assert.throws(() => parse(hex.replace("0603551d0e", "0603551d23")), /extension 2\.5\.29\.35 stands twice/);
    assert.throws(
      () => parse(hex.replace("06082a8648ce3d040302", "06082a8648ce3d040303")),
      /signatureAlgorithm: not the signed/,
    );
    const spec = {
      issuer: [],
      subject: named("X"),
      notBefore: BEGIN,
      notAfter: END,
      publicKey: p256("x"),
      extensions: [],
    };
    assert.throws(() => parseCertificate(buildCertificate(spec, p256("x"), random)), /issuer: an empty name/);
  });

  it("what vendors encode their own way: attributes of a name unsorted, trailing zero bits in keyUsage, FALSE written out", () => {
    const { der } = ca({ name: "CA", key: p256("ca") }).certificate;
    const hex = toHex(der);
    const parse = (text: string) => parseCertificate(new Uint8Array(Buffer.from(text, "hex")));
    // Infineon OPTIGA(TM) RSA Root CA 2: 03 02 00 06
    assert.deepEqual(parse(hex.replace("03020106", "03020006")).extensions.keyUsage, ["keyCertSign", "cRLSign"]);
    assert.throws(() => parse(hex.replace("03020106", "03020206")), /unused bits/);
    assert.deepEqual(decode(BasicConstraintsDer, Uint8Array.of(0x30, 3, 1, 1, 0)), {
      ca: false,
      pathLength: undefined,
    });
    // Nuvoton's roots: CN, O, C in one RDN, in this order, which is not that of a DER set
    const nuvoton = "301c311a300d06035504030c06476d6248204130090603550406130254 57".replaceAll(" ", "");
    assert.equal(printName(decodeName(new Uint8Array(Buffer.from(nuvoton, "hex")))), "CN=GmbH A+C=TW");
  });

  describe("issuing", () => {
    const root = buildRoot(
      { subject: named("Root"), key: rsa("root"), pathLength: 1, notBefore: BEGIN, notAfter: END },
      random,
    );
    const key = p256("intermediate");
    const issuer = {
      certificate: buildIntermediate(
        { subject: named("Intermediate"), publicKey: key, pathLength: 0, notBefore: BEGIN, notAfter: END },
        root,
        random,
      ),
      key,
    };

    it("EK certificates by the TCG EK Credential Profile, trusted by the path rules and by node", () => {
      for (const publicKey of [rsa("ek"), p256("ek")]) {
        const certificate = buildEkCertificate(
          {
            publicKey,
            notBefore: BEGIN,
            manufacturer: "id:46424E4C",
            model: "emulator",
            version: "id:00010002",
            caIssuers: ["http://ca.example/intermediate.crt"],
          },
          issuer,
          random,
        );
        const { extensions } = certificate;
        assert.deepEqual(extensions.extendedKeyUsage, [Oid.ekCertificateUsage]);
        assert.deepEqual(extensions.caIssuers, ["http://ca.example/intermediate.crt"]);
        assert.deepEqual(extensions.keyUsage, [publicKey.type === "rsa" ? "keyEncipherment" : "keyAgreement"]);
        assert.equal(certificate.notAfter, undefined);
        const [tpm] = extensions.subjectAltName ?? [];
        assert.ok(tpm?.kind === "directory");
        assert.equal(printName(tpm.name), "2.23.133.2.1=id:46424E4C,2.23.133.2.2=emulator,2.23.133.2.3=id:00010002");
        assert.ok(extensions.list.some(({ oid, critical }) => oid === Oid.subjectAltName && critical));
        const verdict = validateChain({
          leaf: certificate,
          intermediates: [issuer.certificate],
          roots: [root.certificate],
          purpose: "ek",
          today: END - 1,
        });
        assert.ok(verdict.ok, verdict.ok ? "" : verdict.detail);
        assert.ok(node(certificate).checkIssued(node(issuer.certificate)));
        assert.equal(node(issuer.certificate).keyUsage, undefined);
      }
    });

    it("token certificates: identifiers, names and usage", () => {
      const tokenKey = ed25519("token");
      const spec = { subject: tokenSubject("A1"), publicKey: tokenKey, notBefore: BEGIN, notAfter: END };
      const certificate = buildTokenCertificate(spec, issuer, random);
      assert.equal(certificate.serial.byteLength, 20);
      assert.equal(printName(certificate.subject), "O=Fobnail,serialNumber=A1");
      const authority = certificate.extensions.authorityKeyIdentifier?.keyIdentifier ?? new Uint8Array();
      assert.ok(equal(authority, issuer.certificate.extensions.subjectKeyIdentifier ?? new Uint8Array(1)));
      assert.ok(node(certificate).verify(node(issuer.certificate).publicKey));
    });
  });

  it("files: PEM with text around, several certificates, DER", () => {
    const [a, b] = ["A", "B"].map((name) => ca({ name, key: p256(name) }).certificate);
    assert.ok(a !== undefined && b !== undefined);
    const text = `Certificate:\n  Data\n${toPem("CERTIFICATE", a.der)}\nmore\r\n${toPem("CERTIFICATE", b.der).replaceAll("\n", "\r\n")}`;
    const read = (file: string) => readCertificates(new TextEncoder().encode(file));
    assert.deepEqual(
      read(text).map(({ der }) => der),
      [a.der, b.der],
    );
    assert.deepEqual(
      readCertificates(a.der).map(({ der }) => der),
      [a.der],
    );
    const noEnd = toPem("CERTIFICATE", a.der).replace("-----END", "");
    for (const bad of [
      "",
      "nonsense",
      noEnd,
      toPem("PRIVATE KEY", a.der),
      toPem("CERTIFICATE", a.der).replace("M", "*"),
    ]) {
      assert.throws(() => read(bad), CodecError, bad.slice(0, 40));
    }
    fuzzDecoder("PEM", readCertificates, [new TextEncoder().encode(text)]);
  });

  it("names that could steer a terminal are printed harmless", () => {
    const name = nameOf([[Oid.commonName, "a\u001b[2J,b\u202e\n"]]);
    assert.equal(printName(name), "CN=a\uFFFD[2J\\,b\uFFFD\uFFFD");
  });
});
