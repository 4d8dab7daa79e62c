import assert from "node:assert/strict";
import { encode } from "../../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import {
  ActivationRequest,
  AikRequest,
  CertChain,
  Challenge,
  SignedObject,
  V1,
} from "../../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../../shared/tpm/index.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester, vendorRoot } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { decoded, idIn, posting, type V1Client, V1Scene } from "../../support/v1-scene.ts";
import { ca, ek, p256 } from "../../support/x509.ts";

const NONE = new Uint8Array();
const NONE_NONCE = new Uint8Array(32);
/** Each client of a test with many has its own. */
let ports = 50_000;
const MALFORMED: readonly (readonly [string, Uint8Array])[] = [
  ["no CBOR", Uint8Array.of(0xff)],
  ["nothing", NONE],
  ["no map", encodeItem([])],
  ["keys missing", encodeItem(new Map())],
];

const opened = (profile: Profile, attester?: FakeAttester) => {
  const scene = new V1Scene({ profile, ...(attester !== undefined && { attester }) });
  const client = scene.client();
  return { scene, client, path: client.openEnrolment() };
};

const metadata = (client: V1Client, nonce?: Uint8Array) => client.signed(client.attester.metadataBytes(), nonce);
const rim = (client: V1Client, nonce?: Uint8Array) => client.signed(client.attester.rimBytes(), nonce);

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: EK, AIK and activation, ${profile.name}`, () => {
    it("is 4.04 on a token without owner, whatever is sent", () => {
      const client = new V1Scene({ profile, provisioned: false }).client();
      for (const path of [V1.EK, V1.AIK, V1.PROVISION]) {
        assert.equal(client.said(posting(path, NONE, { contentFormat: 0 })), "4.04 the token is not provisioned");
      }
    });

    it("4.00 for another format and for malformed CBOR, with its field", () => {
      const { client, scene } = opened(profile);
      const fields = { [V1.EK]: "ek", [V1.AIK]: "aik", [V1.PROVISION]: "provision" };
      for (const [path, field] of Object.entries(fields)) {
        assert.match(client.said(posting(path, NONE, { contentFormat: 42 })), /^4\.00 wrong Content-Format/);
        for (const [what, body] of MALFORMED) {
          assert.match(client.said(posting(path, body)), new RegExp(`^4\\.00 ${field}`), `${path} ${what}`);
        }
      }
      assert.deepEqual(scene.story, []);
    });

    it("EK chains: 4.03 for an unknown vendor, no EK certificate, no certificate at all, an owner as vendor", () => {
      const scene = new V1Scene({ profile });
      const shown = scene.lamps.length;
      const owner = new FakeOwner();
      const stranger = new FakeAttester({ vendor: vendorRoot("stranger") });
      const owned = new FakeAttester({ vendor: owner.root });
      const chains = {
        "unknown vendor": [stranger.ekCertificate.der],
        "no EK certificate": [scene.attester.vendor.certificate.der],
        "no certificate": [Uint8Array.of(1, 2, 3)],
        "the owner vouches": [owned.ekCertificate.der],
      };
      for (const [what, certs] of Object.entries(chains)) {
        assert.equal(scene.client(++ports).code(posting(V1.EK, encodeCbor(CertChain, { certs }))), "4.03", what);
        assert.match(scene.news().join(), /^platform-refused [a-z-]+$/, what);
      }
      assert.equal(scene.server.sessions.open, 0);
      assert.equal(scene.lamps.length, shown, "no lamp tells it");
    });

    it(`EK chains: ${profile.ekCertificates} certificates at most, more are 4.03`, () => {
      const scene = new V1Scene({ profile });
      const key = p256("vendor");
      const chain = [ca({ name: "0", key })];
      for (let i = 1; i <= 4; i++) chain.push(ca({ name: String(i), key, issuer: chain[i - 1] }));
      scene.domain.roots.add(
        undefined,
        chain.slice(0, 1).map(({ certificate }) => certificate),
      );
      const send = (count: number) => {
        const issuer = chain[count - 1];
        const leaf = ek({ name: "", key: p256("ek"), issuer });
        const certs = [...chain.slice(1, count), leaf].map(({ certificate }) => certificate.der);
        assert.equal(certs.length, count);
        return scene.client(++ports).code(posting(V1.EK, encodeItem(new Map([["certs", certs]]))));
      };
      for (let count = 1; count <= 5; count++) {
        assert.equal(send(count), count <= profile.ekCertificates ? "2.01" : "4.03", String(count));
      }
    });

    it("an AIK: challenge and id; unknown EK 4.04, before it is judged", () => {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      assert.equal(client.said(posting(V1.AIK, client.aikBody(1))), "4.04 no such EK");
      const id = client.offerEk();
      assert.equal(scene.client(2).code(posting(V1.AIK, client.aikBody(id))), "4.04", "of another session");
      const malformed = encodeCbor(AikRequest, { aik: Uint8Array.of(1), ek: id ^ 1 });
      assert.equal(client.code(posting(V1.AIK, malformed)), "4.04");
      const answer = client.post(V1.AIK, client.aikBody(id));
      assert.notEqual(idIn(answer), id);
      const { idObject, encSecret } = decoded(Challenge, answer);
      assert.ok(client.attester.activate({ idObject, encSecret }));
      assert.equal(idObject.byteLength, ((idObject[0] ?? 0) << 8) + (idObject[1] ?? 0) + 2, "with its size");
    });

    it("an AIK that is none or of another kind is 4.03", () => {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      const id = client.offerEk();
      const other = new FakeAttester({ aik: profile === STRICT ? "reference" : "restricted-rsa" });
      const good = encode(Tpm2bPublic, client.attester.aikPublic);
      const bad = [Uint8Array.of(1), good.subarray(0, -1), encode(Tpm2bPublic, other.aikPublic)];
      for (const aik of bad)
        assert.equal(client.code(posting(V1.AIK, encodeCbor(AikRequest, { aik, ek: id }))), "4.03");
      assert.deepEqual(
        scene.story.map((line) => line.split(" ")[0]),
        bad.map(() => "platform-refused"),
      );
      assert.equal(client.code(posting(V1.AIK, client.aikBody(id))), "2.01", "the EK is still there");
    });

    it("the right secret opens a context; EK and AIK are used up", () => {
      const { client } = { client: new V1Scene({ profile }).client() };
      const body = client.activationBody();
      assert.equal(client.code(posting(V1.PROVISION, body)), "2.01");
      assert.equal(client.said(posting(V1.PROVISION, body)), "4.04 no such EK or AIK");
      const { ek: id } = decodeCbor(ActivationRequest, body);
      assert.equal(client.code(posting(V1.AIK, client.aikBody(id))), "4.04");
    });

    it("a wrong secret is 4.03 and uses them up; so do ids that do not belong together, and an unknown one", () => {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      const right = () => decodeCbor(ActivationRequest, client.activationBody());
      const post = (ids: ReturnType<typeof right>) =>
        client.said(posting(V1.PROVISION, encodeCbor(ActivationRequest, ids)));
      for (const secret of [NONE, new Uint8Array(32), new Uint8Array(64)]) {
        const one = right();
        assert.match(post({ ...one, secret }), /^4\.03/);
        assert.match(post(one), /^4\.04/);
      }
      const [a, b] = [right(), right()];
      assert.match(post({ ...a, aik: b.aik }), /^4\.03 .*another EK/);
      assert.match(post(a), /^4\.04/);
      assert.match(post(b), /^4\.04/);
      const [c, d] = [right(), right()];
      assert.match(post({ ...c, aik: c.aik ^ 1 }), /^4\.04/);
      assert.match(post(c), /^4\.04/, "the EK was there and is used up");
      assert.match(post({ ...d, ek: d.ek ^ 1 }), /^4\.04/);
      assert.match(post(d), /^4\.04/, "so is the AIK");
      assert.match(scene.story.join(), /^(platform-refused credential-not-activated,?)+$/);
    });

    it("both kinds of EK work", () => {
      const aik = profile === STRICT ? "restricted-ecc" : "reference";
      for (const kind of ["rsa", "ecc"] as const) {
        const client = new V1Scene({ profile, attester: new FakeAttester({ aik, ek: kind }) }).client();
        assert.equal(client.enrol(), "2.04", kind);
        assert.equal(client.attest(), "2.04", kind);
      }
    });
  });

  describe(`API v1 server: metadata, RIM and finish, ${profile.name}`, () => {
    it("2.01, then 2.04 when replaced; finishing is 2.04, three green blinks, and the context is gone", () => {
      const { scene, client, path } = opened(profile);
      const [meta, values] = [`${path}/meta`, `${path}/rim`];
      assert.equal(client.said(posting(meta, metadata(client))), "2.01");
      assert.equal(client.said(posting(values, rim(client))), "2.01");
      assert.equal(client.said(posting(meta, metadata(client))), "2.04");
      assert.equal(client.said(posting(values, rim(client))), "2.04");
      scene.clock.advance(1_000);
      assert.equal(client.said({ method: "POST", path }), "2.04");
      assert.deepEqual(scene.news(), ["platform-provisioned"]);
      assert.equal(client.code({ method: "POST", path }), "4.04");
      assert.equal(client.code(posting(meta, metadata(client))), "4.04");
      const from = scene.clock.now();
      scene.clock.advance(600);
      const shown = scene.lamps.filter(([at]) => at >= from && at < from + 600).map(([, name]) => name);
      assert.deepEqual(shown, ["green", "dark", "green", "dark", "green", "dark"]);
    });

    it("an unknown or foreign id is 4.04, whatever the body, format or nonce", () => {
      const { scene, client, path } = opened(profile);
      const other = scene.client(2);
      other.nonce();
      const none = `${V1.PROVISION}/${Number(path.split("/").at(-1)) ^ 1}`;
      for (const where of [
        none,
        `${V1.PROVISION}/x`,
        `${V1.PROVISION}/-1`,
        `${V1.PROVISION}/4294967296`,
        path.replace(/(\d+)$/, "0$1"),
      ]) {
        for (const step of ["/meta", "/rim", ""]) {
          assert.equal(client.code(posting(where + step, NONE, { contentFormat: 0 })), "4.04", where + step);
        }
      }
      for (const step of ["/meta", "/rim", ""]) assert.equal(other.code(posting(path + step, NONE)), "4.04");
    });

    it("formats and CBOR: 4.00; in strict the nonce is kept then", () => {
      const { client, path } = opened(profile);
      for (const step of ["meta", "rim"]) {
        const good = step === "meta" ? metadata(client) : rim(client);
        assert.equal(client.code(posting(`${path}/${step}`, good, { contentFormat: 42 })), "4.00");
        const nonce = client.nonce();
        for (const [what, body] of MALFORMED) {
          assert.match(client.said(posting(`${path}/${step}`, body)), new RegExp(`^4\\.00 ${step}`), what);
        }
        const late = step === "meta" ? metadata(client, nonce) : rim(client, nonce);
        assert.equal(client.code(posting(`${path}/${step}`, late)), profile === STRICT ? "2.01" : "4.03");
      }
    });

    it("no nonce: 4.03; a nonce serves once", () => {
      const { client, path } = opened(profile);
      const nonce = client.nonce();
      assert.equal(client.code(posting(`${path}/meta`, metadata(client, nonce))), "2.01");
      assert.match(client.said(posting(`${path}/meta`, metadata(client, nonce))), /^4\.03 no nonce/);
      assert.match(client.said(posting(`${path}/rim`, rim(client, nonce))), /^4\.03 no nonce/);
    });

    it("a wrong signature, another nonce, another key: the profile's code, and the nonce is gone", () => {
      const { scene, client, path } = opened(profile);
      const expected = profile === STRICT ? "4.03" : "4.00";
      const stranger = new FakeAttester({ aik: "restricted-ecc" });
      const signers = {
        "another nonce": () => metadata(client, new Uint8Array(32)),
        "no nonce inside": () => encodeCbor(SignedObject, client.attester.signed(client.attester.metadataBytes())),
        "another key": (nonce: Uint8Array) =>
          encodeCbor(SignedObject, stranger.signed(client.attester.metadataBytes(), nonce)),
        "other data": (nonce: Uint8Array) => {
          const { signature } = client.attester.signed(client.attester.metadataBytes(), nonce);
          return encodeCbor(SignedObject, { data: stranger.rimBytes(), signature });
        },
      };
      for (const [what, make] of Object.entries(signers)) {
        for (const step of ["meta", "rim"]) {
          assert.equal(client.code(posting(`${path}/${step}`, make(client.nonce()))), expected, what);
          assert.match(scene.news().join(), /^platform-refused (metadata|rim)-signature$/);
          assert.match(client.said(posting(`${path}/${step}`, metadata(client, NONE_NONCE))), /^4\.03 no nonce/);
        }
      }
    });

    it("what is no metadata or no RIM is 4.00, signed or not", () => {
      const { scene, client, path } = opened(profile);
      const noManufacturer = encodeItem(new Map<string, string | number>([["version", 1]]));
      for (const data of [noManufacturer, Uint8Array.of(1), new Uint8Array(1_500)]) {
        assert.match(client.said(posting(`${path}/meta`, client.signed(data))), /^4\.00 the metadata/);
        assert.match(client.said(posting(`${path}/rim`, client.signed(data))), /^4\.00 the reference values/);
      }
      assert.match(scene.story.join(), /^(platform-refused (metadata|rim)-malformed,?)+$/);
      assert.match(client.said(posting(`${path}/rim`, tooLong(client))), /^4\.00 rim/, "over 6000 bytes");
    });

    it("strict refuses a RIM that does not cover the policy; compat takes it, and then nothing attests", () => {
      const { client, path } = opened(profile);
      client.post(`${path}/meta`, metadata(client));
      const banks = [new Map<string, number | Uint8Array[]>([["algo_id", 11], ["pcrs", 1], ["pcr", [new Uint8Array(32)]]])]; // biome-ignore format: one bank
      const data = encodeItem(new Map<string, number | typeof banks>([["update_ctr", 1], ["banks", banks]])); // biome-ignore format: one RIM
      const code = client.code(posting(`${path}/rim`, client.signed(data)));
      assert.equal(code, profile === STRICT ? "4.03" : "2.01");
      assert.equal(client.code({ method: "POST", path }), profile === STRICT ? "4.03" : "2.04");
      if (profile === COMPAT) assert.equal(client.attest(), "4.03");
    });

    it("finishing without metadata or RIM is 4.03; strict keeps the context, compat does not", () => {
      const { client, path } = opened(profile);
      assert.equal(client.said({ method: "POST", path }), "4.03 metadata is missing");
      const kept = profile === STRICT;
      assert.equal(client.code(posting(`${path}/meta`, metadata(client))), kept ? "2.01" : "4.04");
      if (kept) assert.equal(client.said({ method: "POST", path }), "4.03 RIM is missing");
    });

    it("finishing with a body: strict 4.00, compat does not look", () => {
      const { client, path } = opened(profile);
      client.post(`${path}/meta`, metadata(client));
      client.post(`${path}/rim`, rim(client));
      const code = client.code({ method: "POST", path, payload: Uint8Array.of(1) });
      assert.equal(code, profile === STRICT ? "4.00" : "2.04");
      if (profile === STRICT) assert.equal(client.code({ method: "POST", path }), "2.04");
    });

    it("a platform that is known is 4.03, and stays as it is", () => {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      assert.equal(client.enrol(), "2.04");
      scene.news();
      assert.equal(client.enrol(), "4.03");
      assert.deepEqual(scene.news(), ["platform-refused platform-known"]);
      assert.equal(client.attest(), "2.04");
    });

    it("several contexts of one session are apart", () => {
      const { client, path } = opened(profile);
      const second = client.openEnrolment();
      client.post(`${path}/meta`, metadata(client));
      client.post(`${second}/rim`, rim(client));
      assert.equal(client.said({ method: "POST", path }), "4.03 RIM is missing");
      assert.equal(client.said({ method: "POST", path: second }), "4.03 metadata is missing");
    });
  });
}

function tooLong(client: V1Client): Uint8Array {
  const { signature } = client.attester.signed(NONE_NONCE, client.nonce());
  return encodeItem(new Map([["data", new Uint8Array(6_001)], ["signature", signature]])); // biome-ignore format: one map
}

describe("API v1 server: who uses up the nonce of platform provisioning", () => {
  const nonceLeft = (client: V1Client, path: string, nonce: Uint8Array) =>
    client.code(posting(`${path}/meta`, metadata(client, nonce))) !== "4.03";

  it("compat: any path below provision/NUMBER, the finish too; strict: only what was authorised", () => {
    const asks: Readonly<Record<string, (client: V1Client, path: string) => void>> = {
      "an unknown id": (client) => void client.post(`${V1.PROVISION}/1/meta`, NONE),
      "an unknown sub-path": (client) => void client.get(`${V1.PROVISION}/1/other/path`),
      "a wrong format": (client, path) => void client.post(`${path}/rim`, NONE, { contentFormat: 42 }),
      "malformed CBOR": (client, path) => void client.post(`${path}/rim`, NONE),
      "the finish of another context": (client) => void client.post(`${V1.PROVISION}/7`, NONE),
    };
    for (const profile of [STRICT, COMPAT]) {
      for (const [what, ask] of Object.entries(asks)) {
        const { client, path } = opened(profile);
        const nonce = client.nonce();
        ask(client, path);
        assert.equal(nonceLeft(client, path, nonce), profile === STRICT, `${profile.name}: ${what}`);
      }
    }
  });

  it("never: EK, AIK, activation, evidence, storage, version", () => {
    for (const profile of [STRICT, COMPAT]) {
      const { client, path } = opened(profile);
      const nonce = client.nonce();
      client.post(V1.PROVISION, client.activationBody());
      client.post(V1.PROVISION, NONE);
      client.post(`${V1.ATTEST}/1`, NONE);
      client.get(`${V1.STORAGE}/x`);
      client.get(V1.VERSION);
      client.get(`${V1.PROVISION}/x`);
      client.post(V1.GRANT, NONE);
      assert.ok(nonceLeft(client, path, nonce), profile.name);
    }
  });
});
