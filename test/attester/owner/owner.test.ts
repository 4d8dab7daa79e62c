import assert from "node:assert/strict";
import {
  admitAll,
  checkRequest,
  createAdmission,
  createOwner,
  createOwnerV0,
  entryOf,
  type Issued,
  initOwner,
  memoryRecord,
  type OwnerEnv,
  type OwnerMaterial,
  type Question,
  readMaterial,
  requestRefusals,
  serveOwnerV0,
} from "../../../attester/owner/index.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { concat, decode, encode } from "../../../shared/bytes/index.ts";
import { decodeCbor } from "../../../shared/cbor/index.ts";
import { type CoapRequest, Code, createEndpoint } from "../../../shared/coap/index.ts";
import { CertChain } from "../../../shared/protocol/index.ts";
import { anyElement, Tag } from "../../../shared/x509/der.ts";
import {
  buildCsr,
  type Certificate,
  nameOf,
  Oid,
  parseCertificate,
  parseCsr,
  tokenSubject,
  validateChain,
  validateOwnerChain,
} from "../../../shared/x509/index.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { seededRandom } from "../../support/random.ts";
import { ed25519, flipped, p256, random } from "../../support/x509.ts";

const TODAY = Date.UTC(2026, 5, 1, 12);
const DAY = 86_400_000;
const calendar = { today: () => TODAY };
const utf8 = (text: string) => new TextEncoder().encode(text);
const files = new Map<string, Uint8Array>(
  initOwner({ name: "Test", key: "ecc" }, seededRandom(7), calendar).map(({ name, text }) => [name, utf8(text)]),
);
const bytesOf = (name: string) => files.get(name) ?? assert.fail(name);

function materialOf(chain = bytesOf("chain.pem"), key = bytesOf("key.pem"), today = TODAY): OwnerMaterial {
  const outcome = readMaterial(chain, key, today);
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.problem);
  return outcome.material;
}

const csrOf = (deviceId: string, key = ed25519(deviceId)) => buildCsr({ subject: tokenSubject(deviceId), key }, random);

/** The same request with one attribute instead of none; its signature no longer fits, but the attributes come first. */
function withAttribute(csr: Uint8Array): Uint8Array {
  const EMPTY_ATTRIBUTES_BYTES = 2;
  const sequence = (contents: Uint8Array) => encode(anyElement, { tag: Tag.Sequence, contents });
  const { info } = parseCsr(csr);
  const signed = decode(anyElement, csr).contents.subarray(info.byteLength);
  const fields = decode(anyElement, info).contents;
  const attributes = Uint8Array.of(0xa0, 2, 0x05, 0);
  return sequence(concat(sequence(concat(fields.subarray(0, -EMPTY_ATTRIBUTES_BYTES), attributes)), signed));
}

interface Scene extends OwnerEnv {
  readonly lines: string[];
}

function scene(more: Partial<OwnerEnv> = {}): Scene {
  const lines: string[] = [];
  const log = { write: (level: string, message: string) => void lines.push(`${level}: ${message}`) };
  const [record, admission] = [memoryRecord(), createAdmission({ expected: ["A1"] })];
  return { material: materialOf(), random: seededRandom(8), calendar, record, admission, log, lines, ...more };
}

function issued(outcome: ReturnType<ReturnType<typeof createOwner>["issue"]>): Issued {
  assert.ok(outcome.ok, outcome.ok ? "" : `${outcome.reason}: ${outcome.detail}`);
  return outcome;
}

describe("attester/owner", () => {
  it("issues for an expected token: 365 days, right names, trusted below the owner's root", () => {
    const env = scene();
    const { certificate, deviceId } = issued(createOwner(env).issue(csrOf("A1")));
    assert.equal(deviceId, "A1");
    assert.equal(certificate.notBefore, TODAY);
    assert.equal(certificate.notAfter, TODAY + 365 * DAY);
    assert.equal(certificate.serial.byteLength, 20);
    assert.deepEqual(certificate.extensions.keyUsage, ["digitalSignature"]);
    assert.deepEqual(certificate.extensions.basicConstraints, { ca: false, pathLength: undefined });
    const { chain, root } = env.material;
    const verdict = validateChain({
      leaf: certificate,
      intermediates: chain,
      roots: [root],
      purpose: "token",
      today: TODAY,
    });
    assert.ok(verdict.ok && verdict.warnings.length === 0);
    assert.deepEqual(env.record.list(), [entryOf("A1", certificate)]);
    assert.deepEqual(env.lines, [`info: Issued certificate ${entryOf("A1", certificate).serial} for token A1.`]);
  });

  it("a certificate does not outlive its issuer, unless that ended already", () => {
    const end = materialOf().issuing.notAfter ?? assert.fail();
    const at = (today: number) => {
      const env = scene({ calendar: { today: () => today }, days: 1000 });
      return issued(createOwner(env).issue(csrOf("A1"))).certificate.notAfter;
    };
    assert.equal(at(end - DAY), end);
    assert.equal(at(end + DAY), end + 1001 * DAY);
  });

  it("the same request again gets the same certificate, also from a later run, until it ends", () => {
    const env = scene();
    const owner = createOwner(env);
    const first = issued(owner.issue(csrOf("A1"))).certificate;
    assert.deepEqual(issued(owner.issue(csrOf("A1"))).certificate.der, first.der);
    const later = { ...env, admission: createAdmission({ expected: ["A1"] }) };
    assert.deepEqual(issued(createOwner(later).issue(csrOf("A1"))).certificate.der, first.der);
    assert.equal(env.record.list().length, 1);
    const nextYear = { ...later, calendar: { today: () => TODAY + 400 * DAY } };
    assert.notDeepEqual(issued(createOwner(nextYear).issue(csrOf("A1"))).certificate.der, first.der);
    assert.equal(env.record.list().length, 2);
  });

  it("an announced id admits one key; announced again another one, with a warning", () => {
    const env = scene();
    issued(createOwner(env).issue(csrOf("A1")));
    const other = csrOf("A1", ed25519("wiped"));
    const outcome = createOwner(env).issue(other);
    assert.equal(outcome.ok ? "issued" : outcome.reason, "key-changed");
    issued(createOwner({ ...env, admission: createAdmission({ expected: ["A1"] }) }).issue(other));
    assert.match(env.lines.join("\n"), /warn: Token A1 had a certificate for another key/);
  });

  it("refuses, each with its reason", async () => {
    const good = csrOf("A1");
    const no: Question = () => Promise.resolve(false);
    const asking = createOwner(scene({ admission: createAdmission({ expected: [], ask: no }) }));
    const plain = createOwner(scene());
    const named = (...attributes: readonly (readonly [string, string])[]) =>
      buildCsr({ subject: nameOf(attributes), key: ed25519("A1") }, random);
    const shown: Record<string, Uint8Array> = {
      malformed: good.subarray(1),
      "key-type": buildCsr({ subject: tokenSubject("A1"), key: p256("A1") }, random),
      subject: named([Oid.serialNumber, "A1"], [Oid.organizationName, "Fobnail"]),
      attributes: withAttribute(good),
      signature: flipped(good, 8 * good.byteLength - 100),
      "not-expected": csrOf("B2"),
    };
    for (const [reason, csr] of Object.entries(shown)) {
      const outcome = plain.issue(csr);
      assert.equal(outcome.ok ? "issued" : outcome.reason, reason);
    }
    const states = [asking.issue(good)];
    await Promise.resolve();
    await Promise.resolve();
    states.push(asking.issue(good));
    const told = states.map((outcome) => (outcome.ok ? "issued" : outcome.reason));
    assert.deepEqual(told, ["undecided", "denied"]);
    const all = [...Object.keys(shown), ...told, "key-changed"];
    assert.deepEqual([...requestRefusals].sort(), all.sort());
  });

  it("asks one question at a time; the answer counts for this id and key; who cannot be asked has not said yes", async () => {
    const asked: string[] = [];
    const answers: ((yes: boolean) => void)[] = [];
    const ask: Question = (deviceId) => {
      asked.push(deviceId);
      return new Promise((resolve, reject) =>
        answers.push((yes) => (yes ? resolve(true) : reject(new Error("closed")))),
      );
    };
    const owner = createOwner(scene({ admission: createAdmission({ expected: [], ask }) }));
    const reason = (id: string, key = ed25519(id)) => {
      const outcome = owner.issue(csrOf(id, key));
      return outcome.ok ? "issued" : outcome.reason;
    };
    const answer = async (yes: boolean) => {
      answers.shift()?.(yes);
      for (let i = 0; i < 3; i++) await Promise.resolve();
    };
    assert.deepEqual([reason("A1"), reason("B2"), reason("A1")], ["undecided", "undecided", "undecided"]);
    assert.deepEqual(asked, ["A1"]);
    await answer(true);
    assert.deepEqual(
      [reason("A1", ed25519("thief")), reason("A1"), reason("B2")],
      ["key-changed", "issued", "undecided"],
    );
    await answer(false);
    assert.deepEqual(asked, ["A1", "B2"]);
    assert.equal(reason("B2"), "denied");
  });

  it("a token gets nothing that is not recorded", () => {
    const record = { list: () => [], add: () => assert.fail("disk full") };
    const owner = createOwner(scene({ record }));
    assert.throws(() => owner.issue(csrOf("A1")), /disk full/);
  });

  describe("material", () => {
    const problem = (chain: string | Uint8Array, key: string | Uint8Array): string => {
      const [a, b] = [chain, key].map((file) => (typeof file === "string" ? utf8(file) : file));
      const outcome = readMaterial(a ?? assert.fail(), b ?? assert.fail(), TODAY);
      return outcome.ok ? "fine" : outcome.problem;
    };
    const text = (name: string) => new TextDecoder().decode(bytesOf(name));
    const chain = text("chain.pem");
    const blocks = chain.match(/-----BEGIN[\s\S]*?END CERTIFICATE-----\n/g) ?? [];

    it("says what is wrong with a chain or key in a sentence", () => {
      const key = text("key.pem");
      assert.equal(problem(chain, key), "fine");
      assert.match(problem("garbage", key), /^the chain is no PEM file of certificates: /);
      assert.match(problem(chain, "garbage"), /one PRIVATE KEY block/);
      assert.match(problem(chain, key + key), /one PRIVATE KEY block/);
      assert.match(problem(chain, key.replace("MIG", "MIH")), /neither RSA|no PEM/);
      assert.match(problem(chain, text("root-key.pem")), /not the key of the last certificate/);
      assert.match(problem([...blocks].reverse().join(""), key), /must begin with the root/);
      assert.match(problem(blocks[0] ?? "", text("root-key.pem")), /no CA below the root/);
      assert.match(problem(`${blocks[0]}${blocks[2]}${blocks[1]}`, text("intermediate-key.pem")), /must stand last/);
    });

    it("a chain that ended is told, not refused", () => {
      assert.deepEqual(materialOf().warnings, []);
      const late = materialOf(undefined, undefined, Date.UTC(2060, 0, 1));
      assert.match(late.warnings[0] ?? "", /ended 20\d\d-/);
    });

    it("init: path lengths count down, secrets are marked, the same seed makes the same files", () => {
      const { chain: certificates } = materialOf();
      assert.deepEqual(
        certificates.map(({ extensions }) => extensions.basicConstraints?.pathLength),
        [2, 1, 0],
      );
      for (const kind of ["rsa", "ecc", "ed25519"] as const) {
        const [a, b] = [1, 1].map((seed) => initOwner({ name: "X", key: kind }, seededRandom(seed), calendar));
        assert.deepEqual(a, b);
        assert.deepEqual(
          a?.filter(({ secret }) => secret).map(({ name }) => name),
          ["root-key.pem", "intermediate-key.pem", "key.pem"],
        );
      }
    });
  });

  describe("API v0", () => {
    const peer = { address: "169.254.0.1", port: 49152 };
    const request = (more: Partial<CoapRequest>): CoapRequest => ({
      peer,
      method: "POST",
      path: ["csr"],
      query: [],
      contentFormat: undefined,
      accept: undefined,
      options: [],
      payload: new Uint8Array(),
      ...more,
    });

    it("codes: 2.05 for the chain, 2.01, 4.00, 4.03, 5.03 for requests, 4.04, 4.05, 4.15", async () => {
      const ask: Question = () => new Promise(() => undefined);
      const serve = createOwnerV0(createOwner(scene()));
      const code = async (more: Partial<CoapRequest>, handler = serve) => (await handler(request(more))).code;
      assert.equal(await code({ method: "FETCH", path: ["cert_chain"] }), Code.Content);
      assert.equal(await code({ payload: csrOf("A1") }), Code.Created);
      assert.equal(await code({ payload: csrOf("A1").subarray(3) }), Code.BadRequest);
      assert.equal(await code({ payload: csrOf("B2") }), Code.Forbidden);
      const asking = createOwnerV0(createOwner(scene({ admission: createAdmission({ expected: [], ask }) })));
      assert.equal(await code({ payload: csrOf("B2") }, asking), Code.ServiceUnavailable);
      assert.equal(await code({ path: ["nothing"] }), Code.NotFound);
      assert.equal(await code({ method: "GET" }), Code.MethodNotAllowed);
      assert.equal(await code({ contentFormat: 60, payload: csrOf("A1") }), Code.UnsupportedContentFormat);
    });

    it("a token is provisioned over a datagram port, blocks of 512 bytes", async () => {
      const clock = new VirtualClock();
      const net = new DatagramNet(clock);
      const env = scene({ admission: admitAll });
      const options = { clock, random };
      const server = serveOwnerV0(createOwner(env), { ...options, port: net.open("169.254.0.8", 5683) });
      const client = createEndpoint({ ...options, port: net.open(peer.address, peer.port) });
      const to = { address: "169.254.0.8", port: 5683 };
      const settle = async <T>(reply: Promise<T>): Promise<T> => {
        for (let i = 0; i < 40; i++) {
          await Promise.resolve();
          clock.advance(1);
        }
        return reply;
      };
      const chain = await settle(client.request(to, { method: "FETCH", path: ["cert_chain"], blockSize: 512 }));
      assert.equal(chain.contentFormat, 60);
      const certificates: readonly Certificate[] = decodeCbor(CertChain, chain.payload).certs.map(parseCertificate);
      const { root } = env.material;
      assert.deepEqual(certificates[0]?.der, root.der);
      const verdict = validateOwnerChain({ certificates, root });
      assert.ok(verdict.ok);
      const reply = await settle(
        client.request(to, { method: "POST", path: ["csr"], payload: csrOf("C3"), blockSize: 512 }),
      );
      const leaf = parseCertificate(reply.payload);
      assert.ok(validateChain({ leaf, intermediates: certificates, roots: [root], purpose: "token" }).ok);
      assert.ok(checkRequest(csrOf("C3")).ok);
      client.close();
      server.close();
    });
  });
});
