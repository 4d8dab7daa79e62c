import assert from "node:assert/strict";
import { encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import { encodeLogMessage, SignedLog, V1 } from "../../../shared/protocol/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import type { Store } from "../../../token/domain/store.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { logOf, measured, pcrsAfter, RECORDED } from "../../support/launch-log.ts";
import { booted, evil, kept, opened, signedLog } from "../../support/log-scene.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { posting } from "../../support/v1-scene.ts";

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: logs at enrolment, ${profile.name}`, () => {
    it("2.01, 2.04 when replaced; kept with the platform, and gone with it", () => {
      const { scene, client, path, finish } = opened(profile);
      assert.equal(client.said(posting(`${path}/log`, signedLog(client, RECORDED))), "2.01");
      assert.equal(client.said(posting(`${path}/log`, signedLog(client, RECORDED))), "2.04");
      assert.equal(finish(), "2.04");
      assert.deepEqual(scene.news(), ["platform-provisioned"]);
      assert.deepEqual(kept(scene), [RECORDED.events.length]);
      assert.ok(scene.domain.removePlatform(scene.domain.platforms.list()[0]?.id ?? ""));
      assert.deepEqual(kept(scene), []);
      assert.equal(client.enrol(), "2.04");
      assert.deepEqual(kept(scene), [0], "of the former platform nothing is left");
    });

    it("one that shows that there was no launch: strict enrols nobody, whatever PCR 17 and 18 hold", () => {
      const { scene, client, path, finish } = opened(profile);
      client.attester.pcrs = pcrsAfter(RECORDED, false);
      client.post(`${path}/rim`, client.signed(client.attester.rimBytes()));
      assert.equal(client.code(posting(`${path}/log`, signedLog(client, RECORDED))), "2.01");
      scene.news();
      const isStrict = profile === STRICT;
      assert.equal(finish(), isStrict ? "4.03" : "2.04");
      assert.deepEqual(scene.news(), [isStrict ? "platform-refused no-dynamic-launch" : "platform-provisioned"]);
    });

    it("a platform without a log is enrolled as ever", () => {
      const { scene, finish } = opened(profile);
      assert.equal(finish(), "2.04");
      assert.deepEqual(kept(scene), [0]);
    });

    it("events of PCRs that the policy does not ask for are not kept", () => {
      const { scene, client, path, finish } = opened(profile);
      const more = logOf(measured(10, "ima"), ...RECORDED.events, measured(9, "boot-loader"));
      assert.equal(client.code(posting(`${path}/log`, signedLog(client, more))), "2.01");
      finish();
      assert.deepEqual(kept(scene), [RECORDED.events.length]);
    });

    it("one that does not replay to the RIM is 4.03, and the enrolment goes on without", () => {
      const { scene, client, path, finish } = opened(profile);
      const lies = [
        evil("kernel"),
        logOf(),
        logOf(...RECORDED.events, measured(7, "cap")),
        { ...RECORDED, startupLocality: 1 },
      ];
      for (const lie of lies) {
        const said = client.said(posting(`${path}/log`, signedLog(client, lie)));
        assert.equal(said, "4.03 the log does not replay to the reference values");
        assert.deepEqual(scene.news(), ["log-refused log-mismatch"]);
      }
      assert.equal(finish(), "2.04");
      assert.deepEqual(scene.news(), ["platform-provisioned"]);
      assert.deepEqual(kept(scene), [0]);
    });

    it("a refused one leaves the one before; another RIM takes it away", () => {
      const { scene, client, path, finish } = opened(profile);
      client.post(`${path}/log`, signedLog(client, RECORDED));
      assert.equal(client.code(posting(`${path}/log`, signedLog(client, logOf()))), "4.03");
      assert.equal(client.code(posting(`${path}/log`, signedLog(client, RECORDED))), "2.04");
      client.attester.pcrs = pcrsAfter(evil("kernel"));
      assert.equal(client.code(posting(`${path}/rim`, client.signed(client.attester.rimBytes()))), "2.04");
      assert.equal(finish(), "2.04");
      assert.deepEqual(kept(scene), [0]);
    });

    it("before the RIM it is 4.03, and the nonce stays", () => {
      const { client } = booted(profile);
      const path = client.openEnrolment();
      const nonce = client.nonce();
      assert.match(client.said(posting(`${path}/log`, signedLog(client, RECORDED, nonce))), /^4\.03 RIM is missing/);
      const late = client.code(posting(`${path}/meta`, client.signed(client.attester.metadataBytes(), nonce)));
      assert.equal(late, profile === STRICT ? "2.01" : "4.03");
    });

    it("no nonce, another nonce, another key: 4.03; the nonce serves once", () => {
      const { scene, client, path } = opened(profile);
      const nonce = client.nonce();
      assert.equal(client.code(posting(`${path}/log`, signedLog(client, RECORDED, nonce))), "2.01");
      assert.match(client.said(posting(`${path}/log`, signedLog(client, RECORDED, nonce))), /^4\.03 no nonce/);
      client.nonce();
      assert.equal(client.code(posting(`${path}/log`, signedLog(client, RECORDED, nonce))), "4.03");
      const stranger = new FakeAttester({ aik: "restricted-ecc" });
      const foreign = encodeCbor(SignedLog, stranger.signed(encodeLogMessage(RECORDED), client.nonce()));
      assert.equal(client.said(posting(`${path}/log`, foreign)), "4.03 the log is not signed by the AIK");
      assert.deepEqual(scene.news(), ["log-refused log-signature", "log-refused log-signature"]);
    });

    it("unknown and foreign contexts are 4.04, wrong formats and malformed bodies 4.00", () => {
      const { scene, client, path } = opened(profile);
      const body = signedLog(client, RECORDED);
      assert.equal(client.code(posting(`${V1.PROVISION}/1/log`, body, { contentFormat: 0 })), "4.04");
      assert.equal(scene.client(2).code(posting(`${path}/log`, body)), "4.04");
      assert.equal(client.code(posting(`${path}/log`, body, { contentFormat: 42 })), "4.00");
      for (const bad of [new Uint8Array(), encodeItem(new Map()), encodeItem(new Map([["data", new Uint8Array(9)]]))]) {
        assert.match(client.said(posting(`${path}/log`, bad)), /^4\.00 log/);
      }
      assert.equal(client.get(`${path}/log`).code, 0x85, "4.05");
      assert.deepEqual(scene.news(), []);
    });

    it("a signed object that is no log is 4.00 with the field", () => {
      const { scene, client, path } = opened(profile);
      const odd = [Uint8Array.of(1), encodeItem(new Map()), encodeLogMessage({ ...RECORDED, hash: 0x12 })];
      for (const data of odd)
        assert.match(client.said(posting(`${path}/log`, signedLog(client, data))), /^4\.00 the log .*: log/);
      assert.deepEqual(
        scene.news(),
        odd.map(() => "log-refused log-malformed"),
      );
    });

    it("one that is longer than the token keeps is 4.03", () => {
      const many = Array.from({ length: 240 }, (_, i) => measured(4, "boot-loader", `${i}`));
      const { scene, client } = booted(profile);
      const long = logOf(...RECORDED.events, ...many.slice(RECORDED.events.length));
      client.attester.pcrs = pcrsAfter(long);
      const path = client.openEnrolment();
      client.post(`${path}/rim`, client.signed(client.attester.rimBytes()));
      assert.equal(
        client.said(posting(`${path}/log`, signedLog(client, long))),
        "4.03 the log is longer than the token keeps: 240 events",
      );
      assert.deepEqual(scene.news(), ["log-refused log-too-long"]);
    });

    it("where there is no room for it, the platform is enrolled without, and that is told", () => {
      const store = memoryStore();
      let room = Number.POSITIVE_INFINITY;
      const tight: Store = {
        ...store,
        commit: (changes) =>
          [...changes.values()].some((value) => (value?.byteLength ?? 0) > room)
            ? "storage-full"
            : store.commit(changes),
      };
      const size = () => tight.get(`platform/${tight.keys("platform/")[0]?.slice(9)}`)?.byteLength ?? 0;
      const run = () => {
        const { scene, client, path, finish } = opened(profile, tight);
        client.post(`${path}/log`, signedLog(client, RECORDED));
        const code = finish();
        const facts = { code, events: kept(scene), news: scene.news(), bytes: size() };
        scene.domain.removePlatform(scene.domain.platforms.list()[0]?.id ?? "");
        return facts;
      };
      const whole = run();
      room = whole.bytes - 1;
      const wordless = run();
      assert.deepEqual(wordless.events, [RECORDED.events.length], "without words");
      assert.deepEqual(wordless.news, ["platform-provisioned"]);
      room = wordless.bytes - 1;
      const without = run();
      assert.deepEqual([without.code, without.events], ["2.04", [0]]);
      assert.deepEqual(without.news, ["log-refused storage-full", "platform-provisioned"]);
      room = without.bytes - 1;
      assert.equal(run().code, "5.00");
    });
  });
}

describe("a stored log", () => {
  it("that cannot be read keeps back neither a red nor a green", () => {
    const inner = memoryStore();
    const { client, finish, path } = opened(STRICT, {
      ...inner,
      get(key) {
        const value = inner.get(key);
        return value !== undefined && key.startsWith("platform/") ? spoiled(value) : value;
      },
    });
    client.post(`${path}/log`, signedLog(client, RECORDED));
    assert.equal(finish(), "2.04");
    client.attester.pcrs = pcrsAfter(evil("kernel"));
    const { path: attestation, asked } = client.openAttestation();
    client.post(`${attestation}/log`, encodeLogMessage(evil("kernel")));
    assert.match(client.said(posting(attestation, client.evidence(asked))), /^4\.03 .*PCRs/);
    client.attester.pcrs = pcrsAfter(RECORDED);
    assert.equal(client.attest(), "2.04");
  });
});

/** The log is of a version that nobody knows. */
function spoiled(record: Uint8Array): Uint8Array {
  const marker = Buffer.from(record).lastIndexOf(Buffer.from("01000b0000", "hex"));
  return record.map((byte, i) => (i === marker ? 9 : byte));
}
