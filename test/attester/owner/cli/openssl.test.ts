/** Chains that OpenSSL made by the published recipe, and OpenSSL's opinion of the certificates that are issued below them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "../../../../shared/bytes/index.ts";
import { type Certificate, readCertificates } from "../../../../shared/x509/index.ts";
import { needs } from "../../../support/programs.ts";
import { openUdpToken } from "../../../support/v1-udp-token.ts";
import { run } from "./run.ts";

const CONFIG = `
[ca]
default_ca=made
[made]
database=index.txt
new_certs_dir=.
rand_serial=yes
default_md=sha256
policy=any
unique_subject=no
[any]
countryName=optional
organizationName=optional
commonName=supplied
[req]
distinguished_name=name
[name]
${[0, 1, 2, 3]
  .map(
    (length) => `[pathlen${length}]
basicConstraints=critical,CA:TRUE,pathlen:${length}
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always`,
  )
  .join("\n")}
`;

const PSS_OPTIONS = ["keygen_bits:2048", "pss_keygen_md:sha256", "pss_keygen_mgf1_md:sha256", "pss_keygen_saltlen:32"];
const KEYS = {
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  ecc: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  ed25519: ["-algorithm", "ED25519"],
  pss: ["-algorithm", "RSA-PSS", ...PSS_OPTIONS.flatMap((option) => ["-pkeyopt", `rsa_${option}`])],
} as const;
type Kind = keyof typeof KEYS;

/** When the test certificates of the reference were good. */
const PAST = ["-startdate", "20220601000000Z", "-enddate", "20230601000000Z"] as const;
const NOW = ["-days", "1000"] as const;

describe("fobnail-platform-owner with chains of OpenSSL", function () {
  this.timeout(120_000);
  let folder = "";
  let count = 0;

  before(function () {
    needs(this, "openssl");
    folder = mkdtempSync(join(tmpdir(), "fobnail-openssl-"));
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  interface Made {
    readonly file: (name: string) => string;
    readonly openssl: (...args: readonly string[]) => string;
    readonly pems: readonly string[];
    readonly certificates: readonly Certificate[];
  }

  /** Root first; path lengths as given, keys all of one kind. */
  function make(kind: Kind, pathLengths: readonly number[], dates: readonly string[], rootDigest?: string): Made {
    const here = join(folder, String(++count));
    mkdirSync(here);
    const file = (name: string) => join(here, name);
    const openssl = (...args: readonly string[]) =>
      execFileSync("openssl", args, { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    writeFileSync(file("openssl.cnf"), CONFIG);
    writeFileSync(file("index.txt"), "");
    const config = ["-config", "openssl.cnf"];
    const usual = kind === "ed25519" ? ["-md", "null"] : [];
    const pems = pathLengths.map((length, i) => {
      openssl("genpkey", ...KEYS[kind], "-out", `${i}.key`);
      openssl("req", "-new", "-key", `${i}.key`, "-subj", `/C=PL/O=Owner/CN=CA ${i}`, ...config, "-out", `${i}.csr`);
      const by = i === 0 ? ["-selfsign", "-keyfile", "0.key"] : ["-cert", `${i - 1}.pem`, "-keyfile", `${i - 1}.key`];
      const digest = i === 0 && rootDigest !== undefined ? ["-md", rootDigest] : usual;
      const how = ["-batch", "-notext", ...digest, "-extensions", `pathlen${length}`, ...dates];
      openssl("ca", ...config, ...by, ...how, "-in", `${i}.csr`, "-out", `${i}.pem`);
      return readFileSync(file(`${i}.pem`), "utf8");
    });
    writeFileSync(file("chain.pem"), pems.join(""));
    writeFileSync(file("key.pem"), readFileSync(file(`${pems.length - 1}.key`)));
    return { file, openssl, pems, certificates: readCertificates(readFileSync(file("chain.pem"))) };
  }

  /** Provisions a token that trusts the root, and leaves its certificate in token.pem. */
  async function provision({ file, certificates }: Made, profile: "strict" | "compat", ...more: readonly string[]) {
    const token = await openUdpToken({ profile, ownerRoot: certificates[0] ?? assert.fail(), ekRoots: [] });
    try {
      const where = ["--token", `127.0.0.1:${token.peer.port}`];
      const done = await run(file("chain.pem"), file("key.pem"), ...where, "--json", ...more);
      assert.equal(done.code, 0, done.err);
      const { serial, deviceId } = JSON.parse(done.out);
      assert.ok(token.events.some((event) => event.type === "token-provisioned" && event.deviceId === deviceId));
      const shown = await run("show", file("issued.json"), serial);
      writeFileSync(file("token.pem"), shown.out.slice(shown.out.indexOf("-----BEGIN")));
      return { serial: String(serial), deviceId: String(deviceId), err: done.err };
    } finally {
      await token.close();
    }
  }

  function verify({ openssl, file, pems }: Made, ...how: readonly string[]): void {
    writeFileSync(file("cas.pem"), pems.slice(1).join(""));
    const said = openssl("verify", "-x509_strict", ...how, "-CAfile", "0.pem", "-untrusted", "cas.pem", "token.pem");
    assert.equal(said, "token.pem: OK\n");
  }

  const recipes: readonly (readonly [Kind, readonly number[], "strict" | "compat"])[] = [
    ["rsa", [2, 1, 0], "strict"],
    ["rsa", [3, 2, 1], "compat"],
    ["rsa", [2, 1], "compat"],
    ["ecc", [2, 1, 0], "strict"],
    ["ed25519", [3, 2], "strict"],
  ];
  for (const [kind, lengths, profile] of recipes) {
    it(`${kind}, path lengths ${lengths.join(", ")}, ${profile}: OpenSSL verifies what is issued`, async () => {
      const made = make(kind, lengths, NOW);
      const { err } = await provision(made, profile, "--days", "30");
      verify(made);
      assert.doesNotMatch(err, /warning/);
    });
  }

  it("keys that are listed as RSASSA-PSS issue, and ask for platforms, by that alone", async () => {
    const made = make("pss", [2, 1, 0], NOW);
    const { file, openssl, certificates } = made;
    const token = await openUdpToken({ profile: "strict", ownerRoot: certificates[0] ?? assert.fail(), ekRoots: [] });
    try {
      const where = ["--token", `127.0.0.1:${token.peer.port}`];
      const done = await run(file("chain.pem"), file("key.pem"), ...where, "--json");
      assert.equal(done.code, 0, done.err);
      const shown = await run("show", file("issued.json"), JSON.parse(done.out).serial);
      writeFileSync(file("token.pem"), shown.out.slice(shown.out.indexOf("-----BEGIN")));
      verify(made);
      assert.match(openssl("x509", "-in", "token.pem", "-noout", "-text"), /Signature Algorithm: rsassaPss/);
      const asked = await run("platforms", ...where, "--chain", file("chain.pem"), "--key", file("key.pem"));
      assert.equal(asked.out, "The token knows no platform yet.\n", asked.err);
    } finally {
      await token.close();
    }
  });

  it("a root that signed itself with SHA-1 goes over the wire, and is trusted by its bytes", async () => {
    const made = make("rsa", [2, 1], NOW, "sha1");
    assert.match(made.openssl("x509", "-in", "0.pem", "-noout", "-text"), /Algorithm: sha1WithRSAEncryption/);
    await provision(made, "strict");
    verify(made);
  });

  it("certificates that ended in 2023: told, and issued all the same, because nobody in this story has a clock", async () => {
    const made = make("rsa", [3, 2, 1], PAST);
    const { err } = await provision(made, "strict");
    assert.match(err, /^warning: .* ended 2023-06-01; tokens have no calendar and do not mind\.$/m);
    verify(made, "-no_check_time");
    assert.throws(() => verify(made), /certificate has expired/);
  });

  it("says of the certificate what it has to", async () => {
    const made = make("rsa", [2, 1, 0], NOW);
    const { serial, deviceId } = await provision(made, "strict", "--days", "365");
    const text = made.openssl("x509", "-in", "token.pem", "-noout", "-text");
    const key = toHex(made.certificates[2]?.extensions.subjectKeyIdentifier ?? assert.fail());
    const written = (hex: string) => (hex.match(/../g) ?? []).join(":");
    const wanted: readonly RegExp[] = [
      /Version: 3 /,
      new RegExp(`Serial Number:\\s+${written(serial)}`),
      /Signature Algorithm: sha256WithRSAEncryption/,
      /Issuer: C = PL, O = Owner, CN = CA 2$/m,
      new RegExp(`Subject: O = Fobnail, serialNumber = ${deviceId}$`, "m"),
      /Public Key Algorithm: ED25519/,
      /X509v3 Basic Constraints: critical\s+CA:FALSE\s/,
      /X509v3 Key Usage: critical\s+Digital Signature\s/,
      /X509v3 Subject Key Identifier: \s+[0-9A-F:]{59}\s/,
      new RegExp(`X509v3 Authority Key Identifier: \\s+(?:keyid:)?${written(key)}\\s`, "i"),
    ];
    for (const pattern of wanted) assert.match(text, pattern);
    assert.equal(serial.length, 40);
    const [certificate] = readCertificates(readFileSync(made.file("token.pem")));
    assert.equal((certificate?.notAfter ?? 0) - (certificate?.notBefore ?? 0), 365 * 86_400_000);
  });

  it("chains in another order, with a CA too many, or without the right key are told in a sentence", async () => {
    const { file, pems } = make("ecc", [3, 2, 1, 0], NOW);
    const [root = "", first = "", second = "", third = ""] = pems;
    const told = async (chain: readonly string[], key = "2.key") => {
      writeFileSync(file("chain.pem"), chain.join(""));
      const { code, err } = await run(file("chain.pem"), file(key), "--token", "127.0.0.1:1");
      assert.equal(code, 2, err);
      return err;
    };
    const order = /root, and the issuing CA must stand last: C=PL,O=Owner,CN=CA 0; then .*CN=CA 1; then .*CN=CA 2\n$/;
    for (const chain of [
      [second, first, root],
      [root, second, first],
      [first, second, root],
      [first, root, second],
    ]) {
      assert.match(await told(chain), order);
    }
    assert.match(await told([root, second]), /must begin with the root .*CN=CA 1, which is not here/);
    assert.match(await told([root, first, second, third], "3.key"), /3 CAs, 2 at most/);
    assert.match(await told([root, first, second], "1.key"), /not the key of the last certificate/);
    assert.match(await told([root]), /no CA below the root/);
  });

  it("a key in another form is told how to make the right one", async () => {
    const { file, openssl } = make("rsa", [2, 1], NOW);
    openssl("rsa", "-in", "1.key", "-traditional", "-out", "traditional.key");
    openssl("pkcs8", "-in", "1.key", "-topk8", "-passout", "pass:x", "-out", "encrypted.key");
    for (const key of ["traditional.key", "encrypted.key"]) {
      const { code, err } = await run(file("chain.pem"), file(key), "--token", "127.0.0.1:1");
      assert.equal(code, 2);
      assert.match(err, /one PRIVATE KEY block \(PKCS#8, unencrypted\): openssl pkcs8 -topk8 -nocrypt makes it/);
    }
  });
});
