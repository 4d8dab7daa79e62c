import assert from "node:assert/strict";
import { collectEkChain } from "../../../attester/flows/index.ts";
import { equal, utf8 } from "../../../shared/bytes/index.ts";
import { generateEcKey, type PrivateKey } from "../../../shared/crypto/index.ts";
import {
  buildEkCertificate,
  buildIntermediate,
  buildRoot,
  type Certificate,
  type Issuer,
  nameOf,
  Oid,
  parseCertificate,
  toPem,
  validateChain,
} from "../../../shared/x509/index.ts";
import { seededRandom } from "../../support/random.ts";

const random = seededRandom(5, "ek chain");
const period = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2046, 0, 1) };
const named = (text: string) => nameOf([[Oid.commonName, text]]);
const newKey = () => generateEcKey(random, "P-256");

function ca(name: string, issuer: Issuer): Issuer {
  const key = newKey();
  const spec = { ...period, subject: named(name), publicKey: key, pathLength: undefined };
  return { certificate: buildIntermediate(spec, issuer, random), key };
}

function ekBelow(issuer: Issuer, caIssuers: readonly string[] = []): Uint8Array {
  const identity = { manufacturer: "id:46424E4C", model: "test", version: "id:00010002" };
  return buildEkCertificate(
    { ...identity, publicKey: newKey(), notBefore: period.notBefore, caIssuers },
    issuer,
    random,
  ).der;
}

const root = buildRoot({ ...period, subject: named("root"), key: newKey(), pathLength: undefined }, random);
const upper = ca("upper", root);
const lower = ca("lower", upper);

describe("the chain of an EK", () => {
  const lines: string[] = [];
  const log = { write: (level: string, message: string) => void lines.push(`${level}: ${message}`) };
  beforeEach(() => {
    lines.length = 0;
  });

  const collect = async (
    leaf: Uint8Array,
    known: readonly Certificate[],
    files?: Readonly<Record<string, Uint8Array>>,
  ) => {
    const asked: string[] = [];
    const fetcher = {
      fetch: async (url: string) => {
        asked.push(url);
        return files?.[url];
      },
    };
    const chain = await collectEkChain(leaf, { known, log, ...(files === undefined ? {} : { fetcher }) });
    const all = [root, upper, lower];
    const names = chain.map((der) => {
      const at = all.findIndex(({ certificate }) => equal(certificate.der, der));
      return equal(der, leaf) ? "ek" : (["root", "upper", "lower"][at] ?? "?");
    });
    return { names, asked };
  };

  it("has the highest intermediate first and the EK last, without the root, in whatever order they lie", async () => {
    const known = [lower, root, upper].map(({ certificate }) => certificate);
    assert.deepEqual((await collect(ekBelow(lower), known)).names, ["upper", "lower", "ek"]);
    assert.deepEqual((await collect(ekBelow(lower), [...known].reverse())).names, ["upper", "lower", "ek"]);
    assert.deepEqual(lines, []);
  });

  it("ends where an issuer is not known: that may be the root", async () => {
    assert.deepEqual((await collect(ekBelow(lower), [lower.certificate])).names, ["lower", "ek"]);
    assert.deepEqual((await collect(ekBelow(root), [])).names, ["ek"]);
    assert.match(lines.at(-1) ?? "", /^debug: EK chain: CN=root is not here/);
  });

  it("leaves out certificates that only bear the issuer's name", async () => {
    const impostor = ca("lower", root);
    assert.deepEqual((await collect(ekBelow(lower), [impostor.certificate, lower.certificate])).names, ["lower", "ek"]);
    assert.deepEqual((await collect(ekBelow(lower), [impostor.certificate])).names, ["ek"]);
  });

  it("downloads what is missing, DER or PEM, and asks no address twice for what it has", async () => {
    const files = { "http://vendor/lower": lower.certificate.der };
    const leaf = ekBelow(lower, ["http://vendor/none", "http://vendor/lower"]);
    assert.deepEqual(await collect(leaf, [upper.certificate], files), {
      names: ["upper", "lower", "ek"],
      asked: ["http://vendor/none", "http://vendor/lower"],
    });
    const pem = { "http://vendor/lower": utf8(toPem("CERTIFICATE", lower.certificate.der)) };
    assert.deepEqual((await collect(leaf, [], pem)).names, ["lower", "ek"]);
    assert.deepEqual((await collect(leaf, [lower.certificate], files)).asked, []);
  });

  it("downloads nothing without a fetcher", async () => {
    assert.deepEqual((await collect(ekBelow(lower, ["http://vendor/lower"]), [])).names, ["ek"]);
  });

  it("takes no download for an issuer that is malformed or another's", async () => {
    const files = { "http://a": utf8("<html>"), "http://b": upper.certificate.der };
    assert.deepEqual((await collect(ekBelow(lower, ["http://a", "http://b"]), [], files)).names, ["ek"]);
    assert.match(lines[0] ?? "", /^warn: http:\/\/a: /);
    assert.match(lines[1] ?? "", /^warn: http:\/\/a holds no certificate that signed/);
    assert.match(lines[2] ?? "", /^warn: http:\/\/b holds no certificate that signed/);
  });

  it("asks four addresses at most, and sends four certificates at most", async () => {
    const urls = Array.from({ length: 9 }, (_, i) => `http://vendor/${i}`);
    assert.equal((await collect(ekBelow(lower, urls), [], {})).asked.length, 4);
    let issuer = lower;
    const known = [upper.certificate, lower.certificate];
    for (let i = 0; i < 4; i++) {
      issuer = ca(`deep ${i}`, issuer);
      known.push(issuer.certificate);
    }
    assert.equal((await collect(ekBelow(issuer), known)).names.length, 4);
  });

  describe("of a vendor that goes from one root key to another", () => {
    const signed = (by: Issuer, subject: string, publicKey: PrivateKey): Issuer => {
      const spec = { ...period, subject: named(subject), publicKey, pathLength: undefined };
      return { certificate: buildIntermediate(spec, by, random), key: publicKey };
    };
    const next = buildRoot({ ...period, subject: named("next root"), key: newKey(), pathLength: undefined }, random);
    const rollover = signed(root, "root", newKey());
    /** Whether a token with the old root trusts what is sent, whatever the order in which it lay. */
    const isTrusted = async (issuing: Issuer, others: readonly Issuer[]) => {
      const leaf = ekBelow(issuing);
      for (const order of [others, [...others].reverse()]) {
        const known = [issuing, ...order].map(({ certificate }) => certificate);
        const sent = (await collectEkChain(leaf, { known, log })).map((der) => parseCertificate(der));
        assert.equal(sent.length, 3);
        const chain = { leaf: sent[2] ?? assert.fail(), intermediates: sent.slice(0, 2), roots: [root.certificate] };
        const verdict = validateChain({ ...chain, purpose: "ek" });
        assert.ok(verdict.ok, verdict.ok ? "" : verdict.detail);
      }
    };

    it("has the new key's certificate, which the old one signed in the same name", async () => {
      await isTrusted(ca("below", rollover), [rollover, root]);
    });

    it("has the cross certificate of the new root rather than the new root", async () => {
      await isTrusted(ca("below", next), [signed(root, "next root", next.key), next]);
    });

    it("takes no certificate twice, where two sign each other", async () => {
      const one = newKey();
      const other = newKey();
      const first = signed(signed(root, "other", other), "one", one);
      const second = signed(first, "other", other);
      const leaf = ekBelow(first);
      const known = [first.certificate, second.certificate];
      assert.equal((await collectEkChain(leaf, { known, log })).length, 3);
    });
  });

  it("sends an EK certificate that is no strict DER alone", async () => {
    assert.deepEqual((await collect(utf8("no certificate"), [lower.certificate])).names, ["ek"]);
    assert.match(lines[0] ?? "", /^warn: the EK certificate: /);
  });
});
