import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import {
  type CoapOption,
  Code,
  ContentFormat,
  decodeMessage,
  NO_BYTES,
  OptionNumber,
  uintOption,
} from "../../../shared/coap/index.ts";
import { generateEcKey } from "../../../shared/crypto/index.ts";
import { CertChain, Limit, Metadata, SESSION_MS, V1 } from "../../../shared/protocol/index.ts";
import { Oid } from "../../../shared/x509/index.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";
import { posting, singleMessages, V1_TOKEN, type V1Client, V1Scene } from "../../support/v1-scene.ts";
import { ca, ek, p256 } from "../../support/x509.ts";

/** The eleven defects of the reference firmware that are not repeated, by their numbers in docs/deviations.md. */

const inBoth = (what: string, check: (profile: Profile) => void): void => {
  for (const profile of [STRICT, COMPAT]) it(`${profile.name}: ${what}`, () => check(profile));
};

const FILE = `${V1.STORAGE}/key`;

type Ask = ReturnType<typeof singleMessages>;

/** A bad quote: another PCR than recorded. */
function failToAttest(client: V1Client): string {
  const good = client.attester.pcrs;
  client.attester.pcrs = good.map((value, pcr) => (pcr === 0 ? new Uint8Array(32) : value));
  const code = client.attest();
  client.attester.pcrs = good;
  return code;
}

describe("defect 1: the host forges evidence with an unrestricted key", () => {
  it("strict: an AIK that signs anything is not enrolled", () => {
    const attester = new FakeAttester({ aik: "reference" });
    const scene = new V1Scene({ attester });
    const client = scene.client();
    assert.match(client.said(posting(V1.AIK, client.aikBody(client.offerEk()))), /^4\.03 the AIK is not restricted/);
    assert.deepEqual(scene.story, ["platform-refused aik-unrestricted"]);
  });

  it("strict: one that was enrolled in compat gets no green", () => {
    const store = memoryStore();
    const attester = new FakeAttester({ aik: "reference" });
    assert.equal(new V1Scene({ profile: COMPAT, store, attester }).client().enrol(), "2.04");
    const scene = new V1Scene({ store, attester });
    assert.equal(scene.client().attest(), "4.03");
    assert.deepEqual(scene.story, ["attestation-failed aik-unrestricted"]);
    assert.equal(scene.lamp, "red");
  });
});

describe("defect 2: storage rests on address and port", () => {
  const written = (profile: Profile) => {
    const scene = new V1Scene({ profile });
    const client = scene.attested();
    const file = new Uint8Array(5_000).fill(9);
    assert.equal(
      client.code({ method: "PUT", path: FILE, payload: file, query: [client.grant("PUT", "key", file)] }),
      "2.01",
    );
    return { scene, client };
  };

  it("strict: who takes over the port within 3 s reads nothing, writes nothing, deletes nothing", () => {
    const { scene, client } = written(STRICT);
    client.close();
    const thief = scene.client(client.peer.port, new FakeAttester({ aik: "restricted-ecc" }));
    for (const method of ["GET", "PUT", "DELETE"] as const) {
      assert.match(thief.said({ method, path: FILE }), /^4\.01 a grant is needed/);
      assert.equal(thief.code({ method, path: FILE, query: [`grant=${"0".repeat(32)}`] }), "4.01");
    }
    const nonce = thief.nonce();
    const terms = { method: "GET", path: FILE, body: NO_BYTES };
    assert.equal(thief.code(posting(V1.GRANT, thief.grantBody(terms, nonce))), "4.03");
  });

  it("strict: nor goes on with a read that was under way", () => {
    const { scene, client } = written(STRICT);
    const query = [client.grant("GET", "key")];
    const seen: number[] = [];
    scene.net.fate = ({ from, datagram }) => {
      if (from.port === V1_TOKEN.port) seen.push(decodeMessage(datagram).payload.byteLength);
      return seen.length < 2 ? [0] : [];
    };
    client.endpoint.start(V1_TOKEN, { method: "GET", path: FILE, query }, () => undefined);
    scene.clock.advance(0);
    assert.equal(seen[0], 1_024, "the first block came");
    client.close();
    scene.net.fate = () => [0];
    const thief = scene.client(client.peer.port);
    const later = { number: OptionNumber.Block2, value: Uint8Array.of((1 << 4) | 6) };
    assert.equal(thief.code({ method: "GET", path: FILE, options: [later] }), "4.01", "it does not know the grant");
  });

  inBoth("an unfinished block-wise read ends with the session", (profile) => {
    const { scene, client } = written(profile);
    const query = [client.grant("GET", "key")];
    const block = (number: number): CoapOption => uintOption(OptionNumber.Block2, (number << 4) | 6);
    const ask = singleMessages(scene, client);
    assert.equal(ask(Code.Get, FILE, query, [block(0)]).text.slice(0, 4), "2.05");
    assert.equal(ask(Code.Get, FILE, query, [block(1)]).text.slice(0, 4), "2.05");
    scene.clock.advance(SESSION_MS);
    assert.equal(ask(Code.Get, FILE, query, [block(2)]).text, "4.04 not attested");
  });

  /** A read in blocks, of which the first has come; what ends it comes between that and the second. */
  const secondBlock = (profile: Profile, ending: (scene: V1Scene, client: V1Client) => (ask: Ask) => void): string => {
    const { scene, client } = written(profile);
    const query = [client.grant("GET", "key")];
    const ends = ending(scene, client);
    const ask = singleMessages(scene, client);
    const block = (number: number): CoapOption => uintOption(OptionNumber.Block2, (number << 4) | 6);
    assert.match(ask(Code.Get, FILE, query, [block(0)]).text, /^2\.05/);
    ends(ask);
    return ask(Code.Get, FILE, query, [block(1)]).text;
  };

  it("strict: an unfinished block-wise read ends with a failed attestation", () => {
    const failing = (_scene: V1Scene, client: V1Client) => {
      const { path, asked } = client.openAttestation();
      client.attester.pcrs = client.attester.pcrs.map(() => new Uint8Array(32));
      const bad = client.evidence(asked);
      const format = [uintOption(OptionNumber.ContentFormat, ContentFormat.Cbor)];
      return (ask: Ask) => assert.match(ask(Code.Post, path, [], format, bad).text, /^4\.03 /);
    };
    assert.equal(secondBlock(STRICT, failing), "4.04 not attested");
  });

  inBoth("it ends when the platform is removed", (profile) => {
    const removing = (scene: V1Scene) => () => {
      const [platform] = scene.domain.platforms.list();
      assert.ok(platform !== undefined && scene.domain.removePlatform(platform.id) !== undefined);
    };
    assert.equal(secondBlock(profile, removing), "4.04 not attested");
  });

  it("strict: nothing is read after a failed attestation", () => {
    const { client } = written(STRICT);
    assert.equal(failToAttest(client), "4.03");
    assert.match(client.said({ method: "GET", path: FILE }), /^4\.04 not attested/);
  });
});

describe("defect 3: attesting twice leaves green on", () => {
  inBoth("one session is one green, and its end is dark", (profile) => {
    const scene = new V1Scene({ profile });
    const client = scene.attested();
    assert.equal(client.attest(), "2.04");
    assert.equal(client.attest(), "2.04");
    assert.equal(scene.server.sessions.attested, 1);
    client.close();
    scene.clock.advance(SESSION_MS);
    assert.equal(scene.story.at(-1), "attested-sessions 0");
    assert.notEqual(scene.lamp, "green");
  });
});

describe("defect 4: others turn off an attested client's green", () => {
  inBoth("neither a failed attestation nor a provisioning of another client does", (profile) => {
    const scene = new V1Scene({ profile });
    scene.attested(1);
    scene.clock.advance(900);
    assert.equal(scene.lamp, "green");
    const other = scene.client(
      2,
      new FakeAttester({ aik: profile.aik === "restricted" ? "restricted-ecc" : "reference", serialNumber: "2" }),
    );
    assert.equal(other.enrol(), "2.04");
    assert.equal(failToAttest(other), "4.03");
    assert.equal(scene.lamp, "green+red");
    const greenless = scene.lamps.filter(([at, name]) => at >= 900 && !name.includes("green"));
    assert.deepEqual(greenless, []);
  });

  inBoth("a success during red shows at once", (profile) => {
    const scene = new V1Scene({ profile });
    const client = scene.client();
    client.enrol();
    scene.clock.advance(1_000);
    assert.equal(failToAttest(client), "4.03");
    assert.equal(scene.lamp, "red");
    assert.equal(client.attest(), "2.04");
    assert.equal(scene.lamp, "green+red");
  });
});

describe("defect 5: input that halts the token", () => {
  inBoth(
    "evidence and metadata over 1024 bytes, odd file names, a row of failures: each is answered, and the next works",
    (profile) => {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      const path = client.openEnrolment();
      const long = { ...client.attester.metadata, manufacturer: "x".repeat(Limit.TEXT_BYTES) };
      const metadata = encodeCbor(Metadata, { ...long, product_name: "y".repeat(256), serial_number: "z".repeat(256) });
      assert.ok(metadata.byteLength > 700);
      const padded = new Uint8Array(1_025).fill(0x20);
      assert.equal(client.code(posting(`${path}/meta`, client.signed(padded))), "4.00");
      assert.equal(client.code(posting(`${path}/meta`, client.signed(metadata))), "2.01");
      assert.equal(client.code(posting(V1.ATTEST, client.signed(padded))), "4.04");
      assert.equal(client.code({ method: "POST", path }), "4.03");
      assert.equal(client.enrol(), "2.04");
      const { path: context } = client.openAttestation();
      const expected = profile.malformedEvidence === "bad-request" ? "4.00" : "4.03";
      assert.equal(client.code(posting(context, client.signed(padded, new Uint8Array(32)))), expected);
      for (let i = 0; i < 12; i++) assert.equal(failToAttest(client), "4.03");
      assert.equal(client.attest(), "2.04");
      for (const name of ["Schlüssel", "🔑", "\u0000", "a/b", "..", "x".repeat(255), "\ud7ff"]) {
        const segments = [...V1.STORAGE.split("/").slice(1), name];
        const query = [client.grant("PUT", name, utf8(name))];
        const code = client.code({ method: "PUT", path: segments, payload: utf8(name), query });
        assert.equal(code, ["\u0000", "a/b", ".."].includes(name) ? "4.03" : "2.01", name);
      }
      assert.deepEqual(scene.log.lines, []);
    },
  );
});

describe("defect 6: a failed attestation leaves its context, and an earlier success", () => {
  it("strict: the context answers once, its nonce is gone, the session is attested no more", () => {
    const scene = new V1Scene();
    const client = scene.attested();
    scene.clock.advance(1_000);
    scene.news();
    const { path, asked } = client.openAttestation();
    const good = client.evidence(asked);
    client.attester.pcrs = client.attester.pcrs.map(() => new Uint8Array(32));
    const bad = client.evidence(asked);
    assert.equal(client.code(posting(path, bad)), "4.03");
    assert.equal(client.code(posting(path, good)), "4.04");
    assert.deepEqual(scene.news(), ["attestation-failed pcr-mismatch", "attested-sessions 0"]);
    assert.equal(scene.lamp, "red");
    assert.match(client.said({ method: "GET", path: FILE }), /^4\.04 not attested/);
  });

  it("compat: as the reference", () => {
    const scene = new V1Scene({ profile: COMPAT });
    const client = scene.attested();
    const { path, asked } = client.openAttestation();
    const good = client.evidence(asked);
    client.attester.pcrs = client.attester.pcrs.map(() => new Uint8Array(32));
    assert.equal(client.code(posting(path, client.evidence(asked))), "4.03");
    assert.match(client.said({ method: "GET", path: FILE }), /^4\.04 no such file/);
    assert.equal(client.code(posting(path, good)), "2.04");
  });
});

describe("defect 7: AIK and RIM are written one after the other", () => {
  inBoth("a platform is enrolled in one commit; one that does not fit leaves nothing", (profile) => {
    const inner = memoryStore();
    const commits: (readonly string[])[] = [];
    let full = false;
    const store = {
      ...inner,
      commit(changes: ReadonlyMap<string, Uint8Array | undefined>) {
        commits.push([...changes.keys()]);
        return full ? "storage-full" : inner.commit(changes);
      },
    } as const;
    const scene = new V1Scene({ profile, store });
    const client = scene.client();
    commits.length = 0;
    full = true;
    assert.equal(client.enrol(), "5.00");
    assert.deepEqual([scene.domain.platforms.count, inner.keys("platform").length], [0, 0]);
    assert.deepEqual(scene.story, ["platform-refused storage-full"]);
    full = false;
    commits.length = 0;
    assert.equal(client.enrol(), "2.04");
    assert.equal(commits.length, 1);
  });
});

describe("defect 8: roots of TPM vendors that can never anchor a chain", () => {
  const key = p256("vendor");
  const p384 = generateEcKey(seededRandom(1, "vendor"), "P-384");
  const roots = {
    "without a subject key identifier": ca({ name: "vendor", key, without: [Oid.subjectKeyIdentifier] }),
    "with critical certificate policies": ca({
      name: "vendor",
      key,
      extensions: [{ oid: "2.5.29.32", critical: true, value: Uint8Array.of(0x30, 6, 0x30, 4, 6, 2, 0x2a, 3) }],
    }),
    "signed with SHA-384": ca({ name: "vendor", key: p384 }),
  };
  for (const [what, root] of Object.entries(roots)) {
    inBoth(`a root ${what} is trusted by its bytes`, (profile) => {
      const scene = new V1Scene({ profile });
      scene.domain.roots.add(undefined, [root.certificate]);
      const issuer = { certificate: root.certificate, key: root.key };
      const { certificate } = ek({ name: "", key: p256("ek"), issuer });
      const body = encodeCbor(CertChain, { certs: [certificate.der] });
      assert.equal(scene.client().code(posting(V1.EK, body)), "2.01");
    });
  }
});

describe("defect 9: reference values of a computer that was not launched", () => {
  it("strict: PCR 17 and 18 all ones are refused", () => {
    const scene = new V1Scene();
    const client = scene.client();
    client.attester.withoutLaunch();
    const path = client.openEnrolment();
    client.post(`${path}/meta`, client.signed(client.attester.metadataBytes()));
    const answer = client.said(posting(`${path}/rim`, client.signed(client.attester.rimBytes())));
    assert.match(answer, /^4\.03 .*no dynamic launch/);
    assert.equal(client.code({ method: "POST", path }), "4.03", "the RIM is missing");
    assert.equal(scene.domain.platforms.count, 0);
  });

  it("compat: as the reference; strict gives such a platform no green", () => {
    const store = memoryStore();
    const attester = new FakeAttester({ aik: "restricted-rsa" }).withoutLaunch();
    const lax = { ...STRICT, demandsDynamicLaunch: false };
    assert.equal(new V1Scene({ profile: lax, store, attester }).client().enrol(), "2.04");
    const scene = new V1Scene({ store, attester });
    assert.equal(scene.client().attest(), "4.03");
    assert.deepEqual(scene.story, ["attestation-failed no-dynamic-launch"]);
  });
});

describe("defect 10: the issuer's name is not compared with the parent's subject", () => {
  inBoth(
    "an EK certificate that names another issuer is refused, although key identifiers and signature fit",
    (profile) => {
      const key = p256("vendor");
      const root = ca({ name: "vendor", key });
      const [right, wrong] = ["vendor", "somebody"].map((name) =>
        ek({ name: "", key: p256("ek"), issuer: { certificate: ca({ name, key }).certificate, key } }),
      );
      assert.ok(right && wrong);
      const scene = new V1Scene({ profile });
      scene.domain.roots.add(undefined, [root.certificate]);
      const post = ({ certificate }: typeof right) =>
        scene.client(++ports).said(posting(V1.EK, encodeCbor(CertChain, { certs: [certificate.der] })));
      let ports = 1;
      assert.match(post(right), /^2\.01/);
      assert.match(post(wrong), /^4\.03/);
    },
  );
});

describe("defect 11: retransmitted requests run twice", () => {
  inBoth("a request that comes again is answered as before and does nothing", (profile) => {
    const scene = new V1Scene({ profile });
    const client = scene.client();
    const body = client.ekBody();
    const ask = singleMessages(scene, client);
    const format = [uintOption(OptionNumber.ContentFormat, 60)];
    const nonce = ask(Code.Get, V1.NONCE, [], []);
    assert.deepEqual(nonce.again().datagram, nonce.datagram);
    const first = ask(Code.Post, V1.EK, [], format, body);
    assert.match(first.text, /^2\.01/);
    assert.deepEqual(first.again().datagram, first.datagram, "the same id: no second object");
    assert.notDeepEqual(ask(Code.Post, V1.EK, [], format, body).datagram, first.datagram);
  });

  inBoth("a file written twice by one request is created once, with one grant", (profile) => {
    const scene = new V1Scene({ profile });
    const client = scene.attested();
    const query = [client.grant("PUT", "key", utf8("x"))];
    const ask = singleMessages(scene, client);
    const first = ask(Code.Put, FILE, query, [], utf8("x"));
    assert.equal(first.text, "2.01");
    assert.equal(first.again().text, "2.01");
  });
});
