import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import { Code } from "../../../shared/coap/index.ts";
import { Evidence, Explanation, QuoteRequest, V1 } from "../../../shared/protocol/index.ts";
import { ALL_PCRS, TpmAlg, type TpmsAttestQuote } from "../../../shared/tpm/index.ts";
import { platformId } from "../../../token/domain/platforms.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { decoded, posting, type V1Client, V1Scene } from "../../support/v1-scene.ts";

const NONE = new Uint8Array();
const metadata = (client: V1Client, nonce?: Uint8Array) => client.signed(client.attester.metadataBytes(), nonce);

for (const profile of [STRICT, COMPAT]) {
  const strict = profile === STRICT;
  const enrolled = () => {
    const scene = new V1Scene({ profile });
    const client = scene.client();
    assert.equal(client.enrol(), "2.04");
    scene.clock.advance(1_000);
    scene.news();
    return { scene, client };
  };

  describe(`API v1 server: POST attest, ${profile.name}`, () => {
    it("asks for the policy's PCRs with a nonce of its own, in a map of indefinite length", () => {
      const { client } = enrolled();
      const answer = client.post(V1.ATTEST, metadata(client));
      assert.equal(answer.payload[0], 0xbf);
      const { nonce, banks } = decoded(QuoteRequest, answer);
      assert.equal(nonce.byteLength, 32);
      assert.deepEqual(banks, [{ algo_id: TpmAlg.SHA256, pcrs: 0x0006_00ff }]);
      assert.notDeepEqual(nonce, decoded(QuoteRequest, client.post(V1.ATTEST, metadata(client))).nonce);
    });

    it("4.04 for a platform that nobody enrolled; no lamp", () => {
      const { scene, client } = enrolled();
      const stranger = scene.client(2, new FakeAttester({ serialNumber: "other" }));
      const shown = scene.lamps.length;
      assert.match(stranger.said(posting(V1.ATTEST, metadata(stranger))), /^4\.04 this platform is not enrolled/);
      assert.deepEqual(scene.news(), ["attestation-refused unknown-platform"]);
      assert.equal(scene.lamps.length, shown);
      assert.equal(client.attest(), "2.04");
    });

    it("banks of other hashes beside the policy's keep no red back", () => {
      const scene = new V1Scene({ profile });
      const { attester } = scene;
      const pcr = attester.pcrs.map(() => new Uint8Array(32));
      attester.otherBanks = [TpmAlg.SM3_256, 0xffff].map((algo_id) => ({ algo_id, pcrs: ALL_PCRS, pcr }));
      const client = scene.attested();
      scene.clock.advance(1_000);
      scene.news();
      attester.pcrs[17] = new Uint8Array(32);
      assert.equal(client.attest(), "4.03");
      const revoked = strict ? ["attested-sessions 0"] : [];
      assert.deepEqual(scene.news(), ["attestation-failed pcr-mismatch", ...revoked]);
      assert.equal(scene.server.sessions.attested, strict ? 0 : 1);
    });

    it("a bug in appraisal is no green", () => {
      const { scene, client } = enrolled();
      assert.equal(client.attest(), "2.04");
      scene.domain.appraise = () => {
        throw new Error("a bug");
      };
      assert.equal(client.attest(), "5.00");
      assert.equal(scene.server.sessions.attested, strict ? 0 : 1);
    });

    it("nor is a red that a listener's bug meets", () => {
      const { scene, client } = enrolled();
      assert.equal(client.attest(), "2.04");
      scene.domain.onEvent(({ type }) => {
        if (type === "attestation-failed") throw new Error("a bug");
      });
      client.attester.pcrs[17] = new Uint8Array(32);
      assert.equal(client.attest(), "5.00");
      assert.equal(scene.server.sessions.attested, strict ? 0 : 1);
    });

    it("4.04 before the token has an owner, with and without nonce", () => {
      const client = new V1Scene({ profile, provisioned: false }).client();
      assert.match(client.said(posting(V1.ATTEST, metadata(client))), /^4\.04 the token is not provisioned/);
      assert.equal(client.code(posting(V1.ATTEST, metadata(client, new Uint8Array(32)))), "4.04");
    });

    it("a stranger's answers do not tell whether a platform is known, whatever it tries, but for a wrong signature in compat", () => {
      const { scene, client } = enrolled();
      let port = 1;
      const answers = (aim: FakeAttester) => {
        const stranger = scene.client(++port, new FakeAttester({ aik: "restricted-ecc" }));
        const named = aim.metadataBytes();
        const ask = (nonce: Uint8Array) => stranger.said(posting(V1.ATTEST, stranger.signed(named, nonce)));
        const zeros = new Uint8Array(32);
        const first = ask(zeros);
        const signed = ask(stranger.nonce());
        return { first, again: ask(zeros), signed };
      };
      const known = answers(client.attester);
      const unknown = answers(new FakeAttester({ serialNumber: "other" }));
      assert.deepEqual([known.first, known.again], [unknown.first, unknown.again]);
      assert.match(known.again, /^4\.03 no nonce/);
      assert.equal(known.signed === unknown.signed, strict);
    });

    it("4.03 without nonce, which serves once and in its own session", () => {
      const { scene, client } = enrolled();
      const nonce = client.nonce();
      const other = scene.client(2);
      assert.match(other.said(posting(V1.ATTEST, metadata(other, nonce))), /^4\.03 no nonce/);
      assert.equal(client.code(posting(V1.ATTEST, metadata(client, nonce))), "2.01");
      assert.match(client.said(posting(V1.ATTEST, metadata(client, nonce))), /^4\.03 no nonce/);
    });

    it("a wrong signature: the profile's code, no lamp, and the nonce is gone", () => {
      const { scene, client } = enrolled();
      const shown = scene.lamps.length;
      const stranger = scene.client(2, new FakeAttester({ aik: "restricted-ecc" }));
      const nonce = stranger.nonce();
      assert.equal(stranger.code(posting(V1.ATTEST, metadata(stranger, nonce))), strict ? "4.04" : "4.00");
      assert.match(stranger.said(posting(V1.ATTEST, metadata(client, nonce))), /^4\.03 no nonce/);
      assert.deepEqual(scene.news(), ["attestation-refused metadata-signature"]);
      assert.equal(scene.lamps.length, shown);
    });

    it("4.00 for another format and malformed CBOR; the nonce is kept in strict, in compat after a wrong format only", () => {
      const { client } = enrolled();
      const left = (ask: () => unknown) => {
        const nonce = client.nonce();
        ask();
        return client.code(posting(V1.ATTEST, metadata(client, nonce))) === "2.01";
      };
      assert.equal(client.code(posting(V1.ATTEST, NONE, { contentFormat: 42 })), "4.00");
      assert.match(client.said(posting(V1.ATTEST, NONE)), strict ? /^4\.00 attest/ : /^4\.03 no nonce/);
      client.nonce();
      assert.match(client.said(posting(V1.ATTEST, NONE)), /^4\.00 attest/);
      assert.ok(left(() => client.post(V1.ATTEST, NONE, { contentFormat: 42 })));
      assert.equal(
        left(() => client.post(V1.ATTEST, NONE)),
        strict,
      );
      assert.equal(
        left(() => client.post(V1.ATTEST, encodeItem(new Map()))),
        strict,
      );
    });

    it("a new nonce ends open attestations in strict alone, and no attested state", () => {
      const { scene, client } = enrolled();
      assert.equal(client.attest(), "2.04");
      const { path, asked } = client.openAttestation();
      client.nonce();
      assert.equal(client.code(posting(path, client.evidence(asked))), strict ? "4.04" : "2.04");
      assert.equal(scene.server.sessions.attested, 1);
    });
  });

  describe(`API v1 server: evidence, ${profile.name}`, () => {
    it("2.04, once: the session is attested, green as long as it lives", () => {
      const { scene, client } = enrolled();
      const { path, asked } = client.openAttestation();
      const evidence = client.evidence(asked);
      assert.equal(client.said(posting(path, evidence)), "2.04");
      assert.deepEqual(scene.news(), ["attested", "attested-sessions 1"]);
      assert.equal(scene.lamp, "green");
      assert.equal(client.code(posting(path, evidence)), "4.04");
      assert.equal(scene.server.sessions.attested, 1);
    });

    it("4.04 for an unknown or foreign context, and for that of a platform that was removed", () => {
      const { scene, client } = enrolled();
      const { path, asked } = client.openAttestation();
      const evidence = client.evidence(asked);
      for (const where of [`${V1.ATTEST}/1`, `${V1.ATTEST}/x`, `${path}0`]) {
        assert.equal(client.code(posting(where, evidence)), "4.04", where);
      }
      assert.equal(scene.client(2).code(posting(path, evidence)), "4.04");
      const [platform] = scene.domain.platforms.list();
      scene.domain.removePlatform(platform?.id ?? "");
      assert.equal(client.code(posting(path, evidence)), "4.04");
    });

    const wrongs: Readonly<Record<string, (quote: TpmsAttestQuote) => TpmsAttestQuote>> = {
      "nonce-mismatch": (quote) => ({ ...quote, extraData: new Uint8Array(32) }),
      "tpm-clock-unsafe": (quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, safe: 0 } }),
      "pcr-selection": (quote) => ({ ...quote, attested: { ...quote.attested, pcrSelect: [] } }),
      "pcr-mismatch": (quote) => ({ ...quote, attested: { ...quote.attested, pcrDigest: new Uint8Array(32) } }),
    };
    for (const [reason, alter] of Object.entries(wrongs)) {
      it(`4.03 and five seconds of red: ${reason}`, () => {
        const { scene, client } = enrolled();
        client.attester.alterQuote = alter;
        const from = scene.clock.now();
        assert.equal(client.attest(), "4.03");
        assert.deepEqual(scene.news(), [`attestation-failed ${reason}`]);
        assert.equal(scene.lamp, "red");
        scene.clock.advance(4_999);
        assert.equal(scene.lamp, "red");
        scene.clock.advance(1);
        assert.deepEqual(
          scene.lamps.filter(([at]) => at >= from + 1 && at < from + 5_000),
          [],
        );
        assert.notEqual(scene.lamp, "red");
      });
    }

    it("4.03 and red: a wrong signature, and what is no quote", () => {
      const { scene, client } = enrolled();
      const post = (make: (asked: QuoteRequest) => Uint8Array) => {
        const { path, asked } = client.openAttestation();
        return client.code(posting(path, make(asked)));
      };
      const unsigned = (asked: QuoteRequest) =>
        encodeCbor(Evidence, { ...client.attester.quote(asked), signature: new Uint8Array(256) });
      assert.equal(post(unsigned), "4.03");
      assert.equal(
        post(() => encodeCbor(Evidence, client.attester.signed(new Uint8Array(10)))),
        "4.03",
      );
      assert.deepEqual(scene.news(), ["attestation-failed evidence-signature", "attestation-failed not-a-quote"]);
      assert.equal(scene.lamp, "red");
    });

    it("malformed: strict 4.00, no lamp, the context is gone; compat 4.03 and red", () => {
      const { scene, client } = enrolled();
      for (const body of [NONE, Uint8Array.of(0xff), encodeItem(new Map()), encodeItem(new Map([["data", "x"]]))]) {
        const { path, asked } = client.openAttestation();
        assert.equal(client.code(posting(path, body)), strict ? "4.00" : "4.03");
        assert.deepEqual(scene.news(), strict ? [] : ["attestation-failed evidence-malformed"]);
        assert.equal(client.code(posting(path, client.evidence(asked))), strict ? "4.04" : "2.04");
        scene.server.endSessions();
        scene.news();
      }
      assert.equal(scene.lamp === "red", !strict);
    });

    it("another format: 4.00, and the context is kept", () => {
      const { client } = enrolled();
      const { path, asked } = client.openAttestation();
      assert.equal(client.code(posting(path, client.evidence(asked), { contentFormat: 42 })), "4.00");
      assert.equal(client.code(posting(path, client.evidence(asked))), "2.04");
    });

    it("replayed evidence opens nothing: not in this session, not in another", () => {
      const { scene, client } = enrolled();
      const { path, asked } = client.openAttestation();
      const evidence = client.evidence(asked);
      assert.equal(client.code(posting(path, evidence)), "2.04");
      for (const thief of [client, scene.client(2)]) {
        assert.equal(thief.code(posting(thief.openAttestation().path, evidence)), "4.03");
      }
      assert.deepEqual(
        scene.news().filter((line) => line.startsWith("attestation-failed")),
        ["attestation-failed nonce-mismatch", "attestation-failed nonce-mismatch"],
      );
    });

    it("a failure revokes the session's earlier success in strict alone, and nobody else's", () => {
      const { scene, client } = enrolled();
      const other = scene.client(2);
      assert.equal(client.attest(), "2.04");
      assert.equal(other.attest(), "2.04");
      client.attester.alterQuote = (quote) => ({ ...quote, extraData: new Uint8Array(32) });
      assert.equal(client.attest(), "4.03");
      assert.equal(scene.server.sessions.attested, strict ? 1 : 2);
      assert.equal(scene.lamp, "green+red");
    });

    it("another platform may attest in the same session: it takes the place of the first", () => {
      const { scene, client } = enrolled();
      assert.equal(client.attest(), "2.04");
      const aik = strict ? "restricted-ecc" : "reference";
      const second = new FakeAttester({ aik, serialNumber: "2" });
      client.close();
      const next = scene.client(client.peer.port, second);
      assert.equal(next.enrol(), "2.04");
      for (const { attester } of [client, next])
        scene.domain.files.write(platformId(attester.metadataBytes()), "whose", utf8(attester.metadata.serial_number));
      assert.equal(next.attest(), "2.04");
      assert.equal(scene.server.sessions.attested, 1);
      const query = strict ? [next.grant("GET", "whose")] : [];
      assert.equal(next.said({ method: "GET", path: `${V1.STORAGE}/whose`, query }), "2.05 2");
    });

    it("a stored record that cannot be read is 5.00, not the peer's fault", () => {
      const inner = memoryStore();
      let damaged = false;
      const store = {
        ...inner,
        get: (key: string) => (damaged && key.startsWith("platform/") ? Uint8Array.of(1, 2) : inner.get(key)),
      };
      const scene = new V1Scene({ profile, store });
      const client = scene.client();
      client.enrol();
      const { path, asked } = client.openAttestation();
      scene.domain.renamePlatform(platformId(client.attester.metadataBytes()), "read anew from now on");
      damaged = true;
      assert.equal(client.post(path, client.evidence(asked)).code, Code.InternalServerError);
      assert.equal(client.post(V1.ATTEST, metadata(client)).code, Code.InternalServerError);
      assert.match(scene.log.lines.join("\n"), /StoredDataError/);
    });
  });

  describe(`API v1 server: explanations, ${profile.name}`, () => {
    const red = () => {
      const { scene, client } = enrolled();
      client.attester.pcrs = client.attester.pcrs.map((value, pcr) =>
        pcr === 4 || pcr === 17 ? new Uint8Array(32).fill(0xee) : value,
      );
      const { path, asked } = client.openAttestation();
      assert.equal(client.code(posting(path, client.evidence(asked))), "4.03");
      scene.news();
      return { scene, client, path, explain: posting(`${path}/explain`, client.attester.rimBytes()) };
    };

    it("values that hash to the quoted digest name the PCRs, once", () => {
      const { scene, client, explain } = red();
      const answer = client.ask(explain);
      assert.equal(answer.code, Code.Changed);
      assert.deepEqual(decoded(Explanation, answer).pcrs, [4, 17]);
      const [event] = scene.events;
      assert.ok(event?.type === "attestation-explained");
      assert.deepEqual(event.verdict.pcrs, [4, 17]);
      assert.equal(event.verdict.detail, "PCR 4, 17 differ");
      assert.equal(client.said(explain), "4.04 nothing here to explain");
    });

    it("other values are 4.03, tell nothing, and there is no second try", () => {
      const { scene, client, path, explain } = red();
      client.attester.reported = client.attester.pcrs.map(() => new Uint8Array(32));
      assert.equal(client.code(posting(`${path}/explain`, client.attester.rimBytes())), "4.03");
      assert.deepEqual(scene.news(), []);
      assert.equal(client.code(explain), "4.04");
    });

    it("4.00 for another format and for what is no RIM; that does not use it up", () => {
      const { client, path, explain } = red();
      assert.equal(client.code({ ...explain, contentFormat: 42 }), "4.00");
      assert.match(client.said(posting(`${path}/explain`, NONE)), /^4\.00 rim/);
      assert.equal(client.code(explain), "2.04");
    });

    it("4.04 where nothing is red, for another id, in another session, after the session", () => {
      const { scene, client, path, explain } = red();
      assert.equal(scene.client(2).code(explain), "4.04");
      assert.equal(client.code({ ...explain, path: `${V1.ATTEST}/1/explain` }), "4.04");
      assert.equal(enrolled().client.code({ ...explain, path: `${path}/explain` }), "4.04");
      scene.server.endSessions();
      assert.equal(client.code(explain), "4.04");
    });

    for (const [reason, alter] of [
      ["nonce-mismatch", (quote) => ({ ...quote, extraData: new Uint8Array(32) })],
      ["tpm-clock-unsafe", (quote) => ({ ...quote, clockInfo: { ...quote.clockInfo, safe: 0 } })],
    ] as const satisfies readonly (readonly [string, FakeAttester["alterQuote"]])[]) {
      it(`${reason}: another refusal is told in its word, once, without PCRs and without another verdict`, () => {
        const { scene, client } = enrolled();
        client.attester.alterQuote = alter;
        const { path, asked } = client.openAttestation();
        assert.equal(client.code(posting(path, client.evidence(asked))), "4.03");
        scene.news();
        const explain = posting(`${path}/explain`, client.attester.rimBytes());
        assert.deepEqual(decoded(Explanation, client.ask(explain)), { pcrs: [], reason });
        assert.deepEqual(scene.news(), []);
        assert.equal(client.code(explain), "4.04");
      });
    }

    it("a success has nothing to explain, and forgets the red before it", () => {
      const { client, explain } = red();
      client.attester.pcrs = enrolled().client.attester.pcrs;
      const { path, asked } = client.openAttestation();
      assert.equal(client.code(posting(path, client.evidence(asked))), "2.04");
      assert.equal(client.code(explain), "4.04");
      assert.equal(client.code({ ...explain, path: `${path}/explain` }), "4.04");
    });
  });
}
