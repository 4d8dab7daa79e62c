/** OpenSSL as the independent issuer and judge of certificates. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initOwner, readMaterial } from "../../attester/owner/index.ts";
import { decode, struct } from "../../shared/bytes/index.ts";
import { type PrivateKey, privateKeyFromPkcs8 } from "../../shared/crypto/index.ts";
import { sequence } from "../../shared/x509/der.ts";
import { octetString, smallUnsigned } from "../../shared/x509/der-types.ts";
import {
  AlgorithmIdentifierDer,
  buildCsr,
  type Certificate,
  isSignedBy,
  parseCsr,
  parsePem,
  printName,
  readCertificates,
  tokenSubject,
  toPem,
  validateChain,
  verifyCsr,
} from "../../shared/x509/index.ts";
import { judgeEndorsement } from "../../token/domain/endorsement.ts";
import { needs } from "../support/programs.ts";
import { ca, constraints, ed25519, ek, flipped, p256, random, rsa, tokenCertificate } from "../support/x509.ts";

const EXTENSIONS = `
[ca]
basicConstraints=critical,CA:TRUE,pathlen:2
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[sub]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always
nameConstraints=critical,permitted;dirName:permitted
certificatePolicies=critical,2.5.29.32.0
[permitted]
O=Vendor
[ek]
basicConstraints=critical,CA:FALSE
keyUsage=critical,keyEncipherment,keyAgreement
authorityKeyIdentifier=keyid:always,issuer
extendedKeyUsage=2.23.133.8.1
subjectAltName=critical,dirName:tpm
authorityInfoAccess=caIssuers;URI:http://ca.example/sub.crt
[tpm]
O=Vendor
1.2.23.133.2.1=id:00000000
`;
const KEYS = {
  "rsa:2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  "P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "P-521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
  ed25519: ["-algorithm", "ED25519"],
} as const;
const PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"];

const PrivateKeyInfo = sequence(
  struct("PrivateKeyInfo", { version: smallUnsigned(0), algorithm: AlgorithmIdentifierDer, privateKey: octetString }),
);

/** An RSA key by its numbers alone, without the parameters that it is listed with. */
function unbound(pem: string): PrivateKey {
  const { privateKey } = decode(PrivateKeyInfo, parsePem(pem, "PRIVATE KEY")[0] ?? new Uint8Array());
  const plain = createPrivateKey({ key: Buffer.from(privateKey), format: "der", type: "pkcs1" });
  const pkcs8 = plain.export({ format: "der", type: "pkcs8" });
  return privateKeyFromPkcs8(new Uint8Array(pkcs8)) ?? assert.fail("no RSA key");
}

describe("X.509 with OpenSSL", function () {
  this.timeout(60_000);
  let folder = "";
  const file = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) =>
    execFileSync("openssl", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const save = (name: string, ...certificates: readonly Certificate[]) =>
    writeFileSync(file(name), certificates.map(({ der }) => toPem("CERTIFICATE", der)).join(""));
  const load = (name: string): Certificate => readCertificates(readFileSync(file(name)))[0] ?? assert.fail(name);

  /** A certificate made by OpenSSL: `name`.pem and `name`-key.pem. */
  function make(
    name: string,
    key: keyof typeof KEYS,
    section: string,
    issuer: string | undefined,
    ...how: readonly string[]
  ): Certificate {
    openssl("genpkey", ...KEYS[key], "-out", `${name}-key.pem`);
    const by = issuer === undefined ? [] : ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}-key.pem`];
    const subject = ["-subj", `/O=Vendor/CN=${name}`, "-utf8"];
    const extensions = ["-extensions", section, "-config", "openssl.cnf"];
    openssl(
      "req",
      "-x509",
      "-new",
      "-key",
      `${name}-key.pem`,
      ...subject,
      ...by,
      ...extensions,
      ...how,
      "-out",
      `${name}.pem`,
    );
    return load(`${name}.pem`);
  }

  before(function () {
    needs(this, "openssl");
    folder = mkdtempSync(join(tmpdir(), "fobnail-x509-"));
    writeFileSync(file("openssl.cnf"), `[req]\ndistinguished_name=dn\n[dn]\n${EXTENSIONS}`);
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  it("reads, verifies and judges what OpenSSL makes, with every algorithm", () => {
    const ways: readonly (readonly [keyof typeof KEYS, readonly string[], string])[] = [
      ["rsa:2048", ["-sha256"], "rsa-pkcs1-sha256"],
      ["rsa:2048", ["-sha384"], "rsa-pkcs1-sha384"],
      ["rsa:2048", ["-sha512", ...PSS], "rsa-pss-sha512"],
      ["rsa:2048", ["-sha256", ...PSS], "rsa-pss-sha256"],
      ["P-256", ["-sha256"], "ecdsa-sha256"],
      ["P-384", ["-sha384"], "ecdsa-sha384"],
      ["P-521", ["-sha512"], "ecdsa-sha512"],
      ["ed25519", [], "ed25519"],
    ];
    for (const [kind, how, scheme] of ways) {
      const root = make("root", kind, "ca", undefined, ...how);
      const sub = make("sub", kind, "sub", "root", ...how);
      const leaf = make("leaf", kind === "ed25519" ? "P-256" : kind, "ek", "sub", ...how);
      assert.equal(leaf.signatureScheme, scheme);
      assert.deepEqual(leaf.extensions.caIssuers, ["http://ca.example/sub.crt"]);
      assert.equal(leaf.extensions.authorityKeyIdentifier?.issuer, undefined);
      const verdict = validateChain({ leaf, intermediates: [sub], roots: [root], purpose: "ek" });
      assert.ok(verdict.ok, verdict.ok ? "" : `${scheme}: ${verdict.reason} ${verdict.detail}`);
      assert.equal(isSignedBy(leaf, root.publicKeyInfo), false);
    }
  });

  it("trusts an EK below a P-384 CA below a P-521 root, as Nuvoton has it, and no EK on P-521", () => {
    const root = make("root", "P-521", "ca", undefined, "-sha512");
    const sub = make("sub", "P-384", "sub", "root", "-sha512");
    const leaf = make("leaf", "P-256", "ek", "sub", "-sha384");
    assert.deepEqual(
      [sub, leaf].map(({ signatureScheme }) => signatureScheme),
      ["ecdsa-sha512", "ecdsa-sha384"],
    );
    const endorsers = { ekRoots: [root], ownerRoot: undefined, today: undefined, ekSaysTpm: true };
    const judged = (ek: Certificate) => judgeEndorsement([sub.der, ek.der], endorsers);
    const trusted = judged(leaf);
    assert.ok(trusted.ok, trusted.ok ? "" : trusted.detail);
    const wide = judged(make("wide", "P-521", "ek", "sub", "-sha384"));
    assert.equal(wide.ok ? "trusted" : wide.reason, "ek-unsupported");
    const { der } = sub;
    const broken = readCertificates(flipped(der, 8 * der.byteLength - 1));
    const verdict = validateChain({ leaf, intermediates: broken, roots: [root], purpose: "ek" });
    assert.equal(verdict.ok ? "trusted" : verdict.reason, "signature-invalid");
  });

  it("refuses a SHA-1 signature and a salt of another length", () => {
    for (const how of [["-sha1"], ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"]]) {
      const root = make("root", "rsa:2048", "ca", undefined);
      const leaf = make("leaf", "rsa:2048", "ek", "root", ...how);
      const verdict = validateChain({ leaf, intermediates: [], roots: [root], purpose: "ek" });
      assert.equal(verdict.ok ? "trusted" : verdict.reason, "algorithm-unsupported");
    }
  });

  it("reads keys that are listed as RSASSA-PSS, and lets them sign with PSS only", () => {
    openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "pss-key.pem");
    const extensions = ["-extensions", "ca", "-config", "openssl.cnf", "-subj", "/O=Vendor/CN=pss"];
    openssl("req", "-x509", "-new", "-key", "pss-key.pem", ...extensions, "-sha256", ...PSS, "-out", "pss.pem");
    const pss = load("pss.pem");
    assert.ok(isSignedBy(pss, pss.publicKeyInfo));
    const pkcs1 = make("root", "rsa:2048", "ca", undefined);
    assert.equal(isSignedBy(pkcs1, { ...pkcs1.publicKeyInfo, algorithm: pss.publicKeyInfo.algorithm }), false);
  });

  it("holds a key that is listed as RSASSA-PSS to its hash, its mask and its least salt, as OpenSSL does", () => {
    const option = (name: string, value: string | number) => ["-pkeyopt", `rsa_pss_keygen_${name}:${value}`];
    const bound = (md: string, mask: string, salt: number) =>
      [...option("md", md), ...option("mgf1_md", mask), ...option("saltlen", salt)] as const;
    const ways: readonly (readonly [readonly string[], "sha256" | "sha384", boolean])[] = [
      [[], "sha256", true],
      [bound("sha384", "sha384", 48), "sha384", true],
      [bound("sha384", "sha384", 32), "sha384", true],
      [bound("sha384", "sha384", 48), "sha256", false],
      [bound("sha256", "sha1", 32), "sha256", false],
      [bound("sha256", "sha256", 33), "sha256", false],
      [bound("sha1", "sha1", 20), "sha256", false],
    ];
    for (const [options, hash, right] of ways) {
      const tells = `${options.join(" ")}, signed with ${hash}`;
      openssl(
        "genpkey",
        "-algorithm",
        "RSA-PSS",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        ...options,
        "-out",
        "root-key.pem",
      );
      const how = ["-subj", "/O=Vendor/CN=pss", "-extensions", "ca", "-config", "openssl.cnf"];
      openssl("req", "-x509", "-new", "-key", "root-key.pem", ...how, "-out", "root.pem");
      const root = load("root.pem");
      // The same modulus as a key that nothing binds signs what the bound one would not.
      const free = unbound(readFileSync(file("root-key.pem"), "utf8"));
      const leaf = ek({
        name: "leaf",
        key: p256("leaf"),
        issuer: { certificate: root, key: free },
        spec: { signatureScheme: `rsa-pss-${hash}` },
      }).certificate;
      save("leaf.pem", leaf);
      const verdict = validateChain({ leaf, intermediates: [], roots: [root], purpose: "ek" });
      assert.equal(verdict.ok ? "trusted" : verdict.reason, right ? "trusted" : "signature-invalid", tells);
      const theirs = () => openssl("verify", "-CAfile", "root.pem", "leaf.pem");
      if (right) assert.match(theirs(), /OK$/m, tells);
      else assert.throws(theirs, tells);
    }
  });

  it("OpenSSL verifies the chains that we build", () => {
    for (const key of [rsa("openssl"), p256("openssl"), ed25519("openssl")]) {
      const root = ca({ name: "Root", key });
      const sub = ca({ name: "Sub", key: p256("sub"), issuer: root, extensions: [constraints(true, 0)] });
      save("ours.pem", root.certificate);
      save("between.pem", sub.certificate);
      save("ek.pem", ek({ name: "EK", key: rsa("leaf"), issuer: sub }).certificate);
      save("token.pem", tokenCertificate({ name: "Token", key: ed25519("t"), issuer: sub }).certificate);
      for (const leaf of ["ek.pem", "token.pem"]) {
        const said = openssl("verify", "-x509_strict", "-CAfile", "ours.pem", "-untrusted", "between.pem", leaf);
        assert.match(said, /OK$/m);
      }
    }
  });

  it("requests both ways", () => {
    const subject = tokenSubject("1A2B3C");
    writeFileSync(file("ours.der"), buildCsr({ subject, key: ed25519("token") }, random));
    openssl("req", "-inform", "der", "-in", "ours.der", "-verify", "-noout");
    const text = openssl("req", "-inform", "der", "-in", "ours.der", "-noout", "-text");
    assert.match(text, /Version: 1 \(0x0\)[\s\S]*O = Fobnail, serialNumber = 1A2B3C[\s\S]*ED25519[\s\S]*\(none\)/);
    openssl("genpkey", "-algorithm", "ED25519", "-out", "theirs.key");
    openssl(
      "req",
      "-new",
      "-key",
      "theirs.key",
      "-utf8",
      "-subj",
      "/O=Fobnail/serialNumber=1A2B3C",
      "-outform",
      "der",
      "-out",
      "theirs.der",
      "-config",
      "openssl.cnf",
    );
    const theirs = parseCsr(readFileSync(file("theirs.der")));
    assert.ok(verifyCsr(theirs));
    assert.equal(printName(theirs.subject), "O=Fobnail,serialNumber=1A2B3C");
  });

  it("the owner's files: OpenSSL reads chain and keys; an owner reads what OpenSSL made by the published recipe", () => {
    const calendar = { today: () => Date.now() };
    for (const key of ["rsa", "ecc", "ed25519"] as const) {
      for (const { name, text } of initOwner({ name: "Owner", key }, random, calendar)) writeFileSync(file(name), text);
      assert.match(
        openssl("verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "chain.pem", "chain.pem"),
        /OK$/m,
      );
      openssl("pkey", "-in", "key.pem", "-check", "-noout");
    }
    make("root", "rsa:2048", "ca", undefined);
    make("sub", "rsa:2048", "sub", "root");
    const chain = ["root.pem", "sub.pem"].map((name) => readFileSync(file(name), "utf8")).join("");
    const outcome = readMaterial(new TextEncoder().encode(chain), readFileSync(file("sub-key.pem")), Date.now());
    assert.ok(outcome.ok, outcome.ok ? "" : outcome.problem);
  });
});
