import assert from "node:assert/strict";
import { encodeItem } from "../../../shared/cbor/index.ts";
import { Code } from "../../../shared/coap/index.ts";
import { generateEcKey } from "../../../shared/crypto/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { parseCsr, verifyCsr } from "../../../shared/x509/index.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";
import { posting, type V1Client, V1Scene } from "../../support/v1-scene.ts";

const NONE = new Uint8Array();
const der = { contentFormat: 42 };

function scene(profile: Profile, room?: number): { scene: V1Scene; client: V1Client } {
  const made = new V1Scene({ profile, provisioned: false, store: memoryStore(room) });
  return { scene: made, client: made.client() };
}

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: token provisioning, ${profile.name}`, () => {
    it("the chain is answered with the token's request, the certificate makes it provisioned: one green blink", () => {
      const { scene: token, client } = scene(profile);
      assert.equal(token.lamp, "red");
      const answer = client.post(V1.TOKEN_PROVISION, token.owner.chainBody());
      assert.ok(verifyCsr(parseCsr(answer.payload)));
      assert.deepEqual(token.news(), []);
      const certificate = token.owner.issue(answer.payload);
      assert.equal(client.said(posting(V1.PROVISION_COMPLETE, certificate.der, der)), "2.01");
      assert.deepEqual(token.news(), ["token-provisioned"]);
      token.clock.advance(100);
      assert.deepEqual(
        token.lamps.map(([, name]) => name),
        ["dark", "red", "green", "dark"],
      );
    });

    it("takes the chain with its root anywhere, or without it", () => {
      const { owner } = scene(profile).scene;
      const [root, issuing] = owner.chain;
      assert.ok(root && issuing);
      for (const chain of [[root, issuing], [issuing, root], [issuing]]) {
        assert.equal(scene(profile).client.code(posting(V1.TOKEN_PROVISION, owner.chainBody(chain))), "2.01");
      }
    });

    it("refuses chains of another owner, without CA, malformed or too long: 4.03, and stays red", () => {
      const { owner } = scene(profile).scene;
      const [root] = owner.chain;
      assert.ok(root);
      const malformed = encodeItem(new Map([["certs", [Uint8Array.of(0x30, 0)]]]));
      const bodies = {
        "another owner": new FakeOwner("other").chainBody(),
        "the root alone": owner.chainBody([root]),
        "no certificate": malformed,
        "five certificates": encodeItem(new Map([["certs", Array.from({ length: 5 }, () => root.der)]])),
      };
      for (const [what, body] of Object.entries(bodies)) {
        const { scene: token, client } = scene(profile);
        assert.equal(client.code(posting(V1.TOKEN_PROVISION, body)), "4.03", what);
        assert.equal(token.server.sessions.open, 0);
        assert.match(token.story.join(), /^token-refused owner-/);
        assert.equal(token.lamp, "red");
        assert.equal(client.code(posting(V1.PROVISION_COMPLETE, NONE, der)), "4.03");
      }
    });

    it("malformed CBOR, a missing key, a wrong type: 4.00 with the field", () => {
      const { client, scene: token } = scene(profile);
      assert.match(client.said(posting(V1.TOKEN_PROVISION, Uint8Array.of(0xff))), /^4\.00 cert_chain/);
      assert.match(client.said(posting(V1.TOKEN_PROVISION, encodeItem(new Map()))), /^4\.00 cert_chain\.certs/);
      const wrong = encodeItem(new Map([["certs", "x"]]));
      assert.match(client.said(posting(V1.TOKEN_PROVISION, wrong)), /^4\.00 cert_chain\.certs/);
      assert.deepEqual(token.story, []);
    });

    it("formats: the chain is CBOR, the certificate is not", () => {
      const { client, scene: token } = scene(profile);
      assert.equal(client.code(posting(V1.TOKEN_PROVISION, token.owner.chainBody(), der)), "4.00");
      const csr = client.post(V1.TOKEN_PROVISION, token.owner.chainBody()).payload;
      const certificate = token.owner.issue(csr).der;
      assert.equal(client.code(posting(V1.PROVISION_COMPLETE, certificate)), "4.00");
      assert.equal(client.code({ method: "POST", path: V1.PROVISION_COMPLETE, payload: certificate }), "2.01");
    });

    it("no certificate without a chain of the same session: 4.03", () => {
      const { client, scene: token } = scene(profile);
      const csr = client.post(V1.TOKEN_PROVISION, token.owner.chainBody()).payload;
      const certificate = token.owner.issue(csr).der;
      assert.match(token.client(2).said(posting(V1.PROVISION_COMPLETE, certificate, der)), /^4\.03 no owner chain/);
      assert.equal(client.code(posting(V1.PROVISION_COMPLETE, certificate, der)), "2.01");
    });

    it("refuses a certificate that is none, for a foreign key, of another CA: 4.03; the right one still counts", () => {
      const { client, scene: token } = scene(profile);
      const csr = client.post(V1.TOKEN_PROVISION, token.owner.chainBody()).payload;
      const foreign = new FakeOwner();
      foreign.foreignKey = generateEcKey(seededRandom(1), "P-256");
      const wrong = [
        NONE,
        Uint8Array.of(0x30),
        new Uint8Array(5_000),
        foreign.issue(csr).der,
        new FakeOwner("x").issue(csr).der,
      ];
      for (const bytes of wrong) assert.equal(client.code(posting(V1.PROVISION_COMPLETE, bytes, der)), "4.03");
      assert.deepEqual(token.story, [
        "token-refused owner-answer-malformed",
        "token-refused owner-answer-malformed",
        "token-refused owner-answer-malformed",
        "token-refused foreign-key",
        "token-refused token-certificate",
      ]);
      assert.equal(client.code(posting(V1.PROVISION_COMPLETE, token.owner.issue(csr).der, der)), "2.01");
    });

    it("a provisioned token refuses both, whatever they hold", () => {
      const client = new V1Scene({ profile }).client();
      for (const path of [V1.TOKEN_PROVISION, V1.PROVISION_COMPLETE]) {
        const text = client.said(posting(path, NONE, { contentFormat: 0 }));
        assert.equal(text, `${profile === STRICT ? "4.03" : "4.04"} the token is provisioned already`);
      }
    });

    it("no room for identity or certificate: 5.00, and not provisioned", () => {
      const { owner } = new V1Scene();
      let sawIdentity = false;
      let sawCertificate = false;
      for (let room = 400; room < 2_000; room += 50) {
        const { client, scene: token } = scene(profile, room);
        const first = client.ask(posting(V1.TOKEN_PROVISION, owner.chainBody()));
        if (first.code === Code.InternalServerError) sawIdentity = true;
        if (first.code !== Code.Created) continue;
        const second = client.said(posting(V1.PROVISION_COMPLETE, owner.issue(first.payload).der, der));
        if (second.startsWith("5.00")) {
          sawCertificate = true;
          assert.equal(token.domain.provisioned, false);
          assert.deepEqual(token.story, ["token-refused storage-full"]);
        }
      }
      assert.ok(sawIdentity && sawCertificate);
    });
  });
}
