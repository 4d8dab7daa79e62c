import assert from "node:assert/strict";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { Code, codeText } from "../../../shared/coap/index.ts";
import { AuthorizedRequest, authorizeRequest, V1 } from "../../../shared/protocol/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { seededRandom } from "../../support/random.ts";
import { posting, V1Scene } from "../../support/v1-scene.ts";

/** Changes of one body: each byte set to another, each cut; a seeded choice of them. */
function* spoiled(body: Uint8Array, count: number): Generator<Uint8Array> {
  const random = seededRandom(body.byteLength, "spoiled");
  for (let i = 0; i < count; i++) {
    const [high = 0, low = 0, value = 0, how = 0] = random.bytes(4);
    const at = ((high << 8) | low) % body.byteLength;
    if (how < 0x40) {
      yield body.slice(0, at);
      continue;
    }
    const changed = body.slice();
    changed[at] = value === body[at] ? value ^ 1 : value;
    yield changed;
  }
}

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: spoiled bodies, ${profile.name}`, function () {
    this.timeout(60_000);

    it("are answered, never 5.00, and the next right one works", () => {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      const path = client.openEnrolment();
      const nonce = () => client.nonce();
      const owned = { method: "FETCH", path: V1.PLATFORMS, body: new Uint8Array() } as const;
      const asOwner = () => authorizeRequest(owned, nonce(), scene.owner.issuing.key, seededRandom(6));
      const file = { method: "GET", path: `${V1.STORAGE}/key`, body: new Uint8Array() };
      const bodies: Readonly<Record<string, () => Uint8Array>> = {
        [V1.EK]: () => client.ekBody(),
        [V1.AIK]: () => client.aikBody(client.offerEk()),
        [V1.PROVISION]: () => client.activationBody(),
        [`${path}/meta`]: () => client.signed(client.attester.metadataBytes()),
        [`${path}/rim`]: () => client.signed(client.attester.rimBytes()),
        [V1.ATTEST]: () => client.signed(client.attester.metadataBytes()),
        [V1.GRANT]: () => client.grantBody(file),
        [`${V1.PLATFORMS}/rename`]: () => encodeCbor(AuthorizedRequest, asOwner()),
      };
      scene.client(2).enrol();
      client.attest();
      for (const [where, make] of Object.entries(bodies)) {
        for (const body of spoiled(make(), 60)) {
          nonce();
          const { code } = client.post(where, body);
          assert.notEqual(code, Code.InternalServerError, where);
        }
      }
      for (let i = 0; i < 60; i++) {
        const { path: context, asked } = client.openAttestation();
        const [body] = spoiled(client.evidence(asked).slice(i % 7), 1);
        const { code } = client.post(context, body ?? new Uint8Array());
        assert.match(codeText(code), /^4\.0[03]$/);
      }
      assert.equal(client.attest(), "2.04");
      assert.deepEqual(scene.log.lines, []);
    });

    it("of a token without owner, too", () => {
      const scene = new V1Scene({ profile, provisioned: false });
      const client = scene.client();
      for (const body of spoiled(scene.owner.chainBody(), 200)) {
        assert.notEqual(client.code(posting(V1.TOKEN_PROVISION, body)), "5.00");
      }
      const csr = client.post(V1.TOKEN_PROVISION, scene.owner.chainBody()).payload;
      const { der } = scene.owner.issue(csr);
      for (const body of spoiled(der, 200)) {
        const code = client.code(posting(V1.PROVISION_COMPLETE, body, { contentFormat: 42 }));
        assert.equal(code, "4.03");
      }
      assert.equal(scene.domain.provisioned, false);
      assert.deepEqual(scene.log.lines, []);
    });
  });
}
