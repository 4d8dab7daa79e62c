import assert from "node:assert/strict";
import { openUdpPort } from "../../hw/net/udp.ts";
import { utf8 } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { generateEcKey } from "../../shared/crypto/index.ts";
import { CertChain, V1, Versions } from "../../shared/protocol/index.ts";
import { buildIntermediate, buildTokenCertificate, nameOf, Oid, parseCsr } from "../../shared/x509/index.ts";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { LIBCOAP_CLIENT, libcoapRequest } from "../support/libcoap.ts";
import { needs } from "../support/programs.ts";
import { seededRandom } from "../support/random.ts";
import { libcoapAsk } from "../support/v1-asks.ts";
import { openUdpToken, type UdpToken } from "../support/v1-udp-token.ts";
import { type V1Ask, V1Walk } from "../support/v1-walk.ts";

const FILE = seededRandom(1, "v1 interop").bytes(6_000);

async function freePort(): Promise<number> {
  const port = await openUdpPort("127.0.0.1", 0);
  await port.close();
  return port.local.port;
}

describe("API v1: libcoap's client asks a token", () => {
  let token: UdpToken;
  let ask: V1Ask;
  const owner = new FakeOwner();

  before(function () {
    needs(this, LIBCOAP_CLIENT);
  });

  afterEach(() => token?.close());

  const open = async (profile: "strict" | "compat", attester: FakeAttester): Promise<V1Walk> => {
    const roots = { ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] };
    token = await openUdpToken({ profile, ...roots });
    ask = libcoapAsk(token.peer, await freePort());
    return new V1Walk(ask, owner, attester);
  };

  for (const profile of ["strict", "compat"] as const) {
    const aik = profile === "strict" ? "restricted-rsa" : "reference";

    it(`${profile}: fetches version and nonce`, async () => {
      await open(profile, new FakeAttester({ aik }));
      const version = await libcoapRequest(token.peer, "get", V1.VERSION);
      assert.deepEqual(decodeCbor(Versions, version.body).versions, [1]);
      const nonces = [await ask({ method: "GET", path: V1.NONCE }), await ask({ method: "GET", path: V1.NONCE })];
      assert.deepEqual(
        nonces.map(({ code, payload }) => [code, payload.byteLength]),
        [
          ["2.05", 32],
          ["2.05", 32],
        ],
      );
      assert.notDeepEqual(nonces[0]?.payload, nonces[1]?.payload);
    });

    it(`${profile}: passes the happy path, with a file in blocks both ways`, async () => {
      const walk = await open(profile, new FakeAttester({ aik }));
      await walk.provisionToken();
      await walk.provisionPlatform();
      await walk.attest();
      const granted = profile === "strict";
      await walk.write("uploaded", FILE, { granted });
      assert.deepEqual((await walk.file("uploaded", { granted })).payload, FILE);
      assert.deepEqual(
        token.log.lines.filter((line) => line.startsWith("error")),
        [],
      );
    });
  }

  it("provisions the token with a chain of three certificates, in blocks of 128", async () => {
    await open("strict", new FakeAttester({ aik: "restricted-rsa" }));
    const random = seededRandom(5, "three");
    const key = generateEcKey(random, "P-256");
    const subject = nameOf([[Oid.commonName, "a CA below the issuing CA's sibling"]]);
    const life = { notBefore: 0, notAfter: undefined };
    const upper = buildIntermediate({ subject, publicKey: key, pathLength: 1, ...life }, owner.root, random);
    const lowerKey = generateEcKey(random, "P-256");
    const lowerCa = { subject: nameOf([[Oid.commonName, "lower"]]), publicKey: lowerKey, pathLength: 0, ...life };
    const lower = buildIntermediate(lowerCa, { certificate: upper, key }, random);
    const certs = [owner.root.certificate, upper, lower].map(({ der }) => der);
    const small = libcoapAsk(token.peer, await freePort(), 128);
    const chain = { method: "POST", path: V1.TOKEN_PROVISION, contentFormat: 60 } as const;
    const made = await small({ ...chain, payload: encodeCbor(CertChain, { certs }) });
    assert.equal(made.code, "2.01");
    const request = parseCsr(made.payload);
    const certificate = { subject: request.subject, publicKey: request.publicKey, ...life };
    const { der } = buildTokenCertificate(certificate, { certificate: lower, key: lowerKey }, random);
    const complete = { method: "POST", path: V1.PROVISION_COMPLETE, contentFormat: 42, payload: der } as const;
    assert.equal((await small(complete)).code, "2.01");
    assert.ok(token.events.some(({ type }) => type === "token-provisioned"));
  });

  it("is told in a sentence what is wrong", async () => {
    await open("strict", new FakeAttester({ aik: "restricted-rsa" }));
    const { text } = await libcoapRequest(token.peer, "post", V1.TOKEN_PROVISION, utf8("no CBOR"), "-t", "60");
    assert.match(text, /^4\.00 .+/m);
  });
});
