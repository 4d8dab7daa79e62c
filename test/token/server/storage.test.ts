import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import { Code, OptionNumber, uintOption } from "../../../shared/coap/index.ts";
import { authorizationFor, SignedObject, V1 } from "../../../shared/protocol/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { posting, singleMessages, type V1Client, V1Scene } from "../../support/v1-scene.ts";

const NONE = new Uint8Array();
const at = (name: string) => `${V1.STORAGE}/${name}`;
const segments = (name: string) => [...V1.STORAGE.split("/").slice(1), name];
const put = (client: V1Client, name: string, payload: Uint8Array) =>
  client.said({ method: "PUT", path: segments(name), payload, query: [client.grant("PUT", name, payload)] });
const get = (client: V1Client, name: string) =>
  client.ask({ method: "GET", path: segments(name), query: [client.grant("GET", name)] });
const remove = (client: V1Client, name: string) =>
  client.code({ method: "DELETE", path: segments(name), query: [client.grant("DELETE", name)] });

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: files, ${profile.name}`, () => {
    it("2.01 created, 2.04 replaced, 2.05 the whole file, 2.02 removed, also twice", () => {
      const client = new V1Scene({ profile }).attested();
      const big = new Uint8Array(6_000).map((_, i) => i);
      assert.equal(put(client, "key", utf8("one")), "2.01");
      assert.deepEqual(get(client, "key").payload, utf8("one"));
      assert.equal(put(client, "key", big), "2.04");
      assert.deepEqual(get(client, "key").payload, big);
      assert.equal(put(client, "empty", NONE), "2.01");
      assert.deepEqual(get(client, "empty").payload, NONE);
      assert.equal(remove(client, "key"), "2.02");
      assert.equal(remove(client, "key"), "2.02");
      assert.equal(get(client, "key").code, Code.NotFound);
    });

    it("not attested: 4.04 for all, whatever else is wrong", () => {
      const client = new V1Scene({ profile }).client();
      client.nonce();
      for (const method of ["GET", "PUT", "DELETE"] as const) {
        const request = { method, path: at("key"), contentFormat: 60, query: ["grant=00"] };
        assert.equal(client.said(request), "4.04 not attested");
      }
      assert.equal(client.said(posting(V1.GRANT, NONE, { contentFormat: 42 })), "4.04 not attested");
    });

    it("bad names: GET 4.04, PUT 4.03, DELETE 2.02", () => {
      const client = new V1Scene({ profile }).attested();
      for (const name of ["", ".", "..", "a/b", "/", "a\0b"]) {
        assert.equal(get(client, name).code, Code.NotFound, name);
        assert.match(put(client, name, utf8("x")), /^4\.03 not the name/, name);
        assert.equal(remove(client, name), "2.02", name);
      }
    });

    it("PUT with the format of CBOR is 4.00", () => {
      const client = new V1Scene({ profile }).attested();
      const query = [client.grant("PUT", "key", NONE)];
      assert.equal(client.code({ method: "PUT", path: at("key"), contentFormat: 60, query }), "4.00");
    });

    it("too large, over quota, storage full: 5.00 with a text, and what was there stays", () => {
      const limits = { fileBytes: 100, files: 2, quotaBytes: 150 };
      const client = new V1Scene({ profile, files: limits }).attested();
      assert.equal(put(client, "a", new Uint8Array(100)), "2.01");
      assert.match(put(client, "a", new Uint8Array(101)), /^5\.00 the file is too large/);
      assert.match(put(client, "b", new Uint8Array(51)), /^5\.00 this platform keeps/);
      assert.equal(put(client, "b", new Uint8Array(50)), "2.01");
      assert.match(put(client, "c", NONE), /^5\.00 this platform keeps/);
      assert.equal(get(client, "a").payload.byteLength, 100);
      const inner = memoryStore();
      let full = false;
      const store = {
        ...inner,
        commit: (changes: Parameters<typeof inner.commit>[0]) =>
          full ? ("storage-full" as const) : inner.commit(changes),
      };
      const other = new V1Scene({ profile, store }).attested();
      assert.equal(put(other, "key", utf8("old")), "2.01");
      full = true;
      assert.match(put(other, "key", utf8("new")), /^5\.00 the token's storage is full/);
      assert.deepEqual(get(other, "key").payload, utf8("old"));
    });

    it("over what any body may have: 4.13", () => {
      const scene = new V1Scene({ profile });
      const client = scene.attested();
      const code = client.code({ method: "PUT", path: at("key"), payload: new Uint8Array(70_000) });
      assert.equal(code, "4.13");
    });

    it("platforms do not see each other's files", () => {
      const scene = new V1Scene({ profile });
      const client = scene.attested();
      put(client, "key", utf8("mine"));
      const aik = profile === STRICT ? "restricted-ecc" : "reference";
      const other = scene.client(2, new FakeAttester({ aik, serialNumber: "2" }));
      other.enrol();
      other.attest();
      assert.equal(get(other, "key").code, Code.NotFound);
      assert.equal(put(other, "key", utf8("theirs")), "2.01");
      assert.deepEqual(get(client, "key").payload, utf8("mine"));
    });

    it("a platform that another one replaces in the session takes grants and files with it", () => {
      const scene = new V1Scene({ profile });
      const client = scene.attested();
      put(client, "key", utf8("mine"));
      const grant = client.grant("GET", "key");
      client.close();
      const aik = profile === STRICT ? "restricted-ecc" : "reference";
      const next = scene.client(client.peer.port, new FakeAttester({ aik, serialNumber: "2" }));
      next.enrol();
      next.attest();
      assert.equal(next.code({ method: "GET", path: at("key"), query: [grant] }), profile === STRICT ? "4.01" : "4.04");
    });
  });
}

describe("API v1 server: grants (extension 1)", () => {
  const attested = () => {
    const scene = new V1Scene();
    const client = scene.attested();
    assert.equal(put(client, "key", utf8("secret")), "2.01");
    return { scene, client };
  };
  const reading = (grant: string, name = "key") => ({ method: "GET", path: at(name), query: [grant] }) as const;

  it("without one: 4.01 that says where it is had, for all three", () => {
    const { client } = attested();
    for (const method of ["GET", "PUT", "DELETE"] as const) {
      assert.equal(client.said({ method, path: at("key") }), "4.01 a grant is needed: POST /api/v1/storage/grant");
    }
    assert.deepEqual(get(client, "key").payload, utf8("secret"));
  });

  it("compat does not demand them, and issues them", () => {
    const client = new V1Scene({ profile: COMPAT }).attested();
    assert.equal(client.code({ method: "PUT", path: at("key"), payload: utf8("x") }), "2.01");
    assert.deepEqual(client.get(at("key")).payload, utf8("x"));
    assert.match(client.grant("GET", "key"), /^grant=[0-9a-f]{32}$/);
    assert.equal(client.code({ method: "DELETE", path: at("key"), query: ["grant=nonsense"] }), "2.02");
  });

  it("replay: a grant is used up by its request", () => {
    const { client } = attested();
    const grant = client.grant("GET", "key");
    assert.equal(client.code(reading(grant)), "2.05");
    assert.equal(client.code(reading(grant)), "4.01");
  });

  it("another name, method or body: 4.01, and it is used up", () => {
    const { client } = attested();
    const wrong = [
      (grant: string) => reading(grant, "other"),
      (grant: string) => ({ ...reading(grant), method: "DELETE" as const }),
      (grant: string) => ({ ...reading(grant), payload: utf8("x") }),
    ];
    for (const request of wrong) {
      const grant = client.grant("GET", "key");
      assert.equal(client.code(request(grant)), "4.01");
      assert.equal(client.code(reading(grant)), "4.01");
    }
    const grant = client.grant("PUT", "key", utf8("mine"));
    const write = { method: "PUT", path: at("key"), query: [grant] } as const;
    assert.equal(client.code({ ...write, payload: utf8("his") }), "4.01");
    assert.equal(client.code({ ...write, payload: utf8("mine") }), "4.01");
    assert.deepEqual(get(client, "key").payload, utf8("secret"));
  });

  it("another session, the end of the session, a revocation: 4.01 or 4.04", () => {
    const { scene, client } = attested();
    const grant = client.grant("GET", "key");
    assert.equal(scene.attested(2).code(reading(grant)), "4.01");
    assert.equal(scene.client(3).code(reading(grant)), "4.04");
    scene.server.endSessions();
    assert.equal(client.code(reading(grant)), "4.04");
    client.attest();
    assert.equal(client.code(reading(grant)), "4.01");
    const second = client.grant("GET", "key");
    client.attester.alterQuote = (quote) => ({ ...quote, extraData: NONE });
    client.attest();
    client.attester.alterQuote = (quote) => quote;
    client.attest();
    assert.equal(client.code(reading(second)), "4.01");
  });

  it("two at once, malformed ones, other arguments", () => {
    const { client } = attested();
    const [a, b] = [client.grant("GET", "key"), client.grant("GET", "key")];
    assert.equal(client.code({ ...reading(a), query: [a, b] }), "4.01");
    for (const query of ["grant=", "grant=00", "grant", "Grant=0", `grant=${"f".repeat(200)}`]) {
      assert.equal(client.code(reading(query)), "4.01", query);
    }
    assert.equal(client.code(reading(client.grant("GET", "key").toUpperCase())), "4.01");
    assert.equal(client.code({ ...reading(""), query: ["x=1", client.grant("GET", "key")] }), "2.05");
  });

  it("ask: 4.00 malformed, 4.03 without nonce, with a wrong signature, other terms, another nonce; the nonce goes with it", () => {
    const { client } = attested();
    const terms = { method: "GET", path: at("key"), body: NONE };
    assert.equal(client.code(posting(V1.GRANT, client.grantBody(terms), { contentFormat: 42 })), "4.00");
    assert.match(client.said(posting(V1.GRANT, NONE)), /^4\.00 grant/);
    const nonce = client.nonce();
    client.post(V1.GRANT, encodeItem(new Map()));
    assert.equal(client.code(posting(V1.GRANT, client.grantBody(terms, nonce))), "2.01", "4.00 does not use it up");
    assert.match(client.said(posting(V1.GRANT, client.grantBody(terms, nonce))), /^4\.03 no nonce/);
    const wrong = {
      "another method": (fresh: Uint8Array) => client.grantBody({ ...terms, method: "POST" }, fresh),
      "another path": (fresh: Uint8Array) => client.grantBody({ ...terms, path: V1.NONCE }, fresh),
      "the folder": (fresh: Uint8Array) => client.grantBody({ ...terms, path: V1.STORAGE }, fresh),
      "another nonce inside": (fresh: Uint8Array) => client.signed(authorizationFor(terms, new Uint8Array(32)), fresh),
      "another nonce outside": (fresh: Uint8Array) => client.signed(authorizationFor(terms, fresh), new Uint8Array(32)),
      "no terms": (fresh: Uint8Array) => client.signed(Uint8Array.of(1), fresh),
      "another key": (fresh: Uint8Array) => {
        const stranger = new FakeAttester({ aik: "restricted-ecc" });
        return encodeCbor(SignedObject, stranger.signed(authorizationFor(terms, fresh), fresh));
      },
    };
    for (const [what, make] of Object.entries(wrong)) {
      const fresh = client.nonce();
      assert.equal(client.code(posting(V1.GRANT, make(fresh))), "4.03", what);
      assert.match(client.said(posting(V1.GRANT, client.grantBody(terms, fresh))), /^4\.03 no nonce/, what);
    }
  });

  it("eight unused ones, the oldest gives way", () => {
    const { client } = attested();
    const grants = Array.from({ length: 9 }, () => client.grant("GET", "key"));
    assert.equal(client.code(reading(grants[0] ?? "")), "4.01");
    for (const grant of grants.slice(1)) assert.equal(client.code(reading(grant)), "2.05");
  });

  it("a grant of 16 bytes that nobody can guess: all differ", () => {
    const { client } = attested();
    const seen = new Set(Array.from({ length: 50 }, () => client.grant("GET", "key")));
    assert.equal(seen.size, 50);
  });

  const BLOCK_1024 = 6;
  const block = (number: number, more: boolean) =>
    uintOption(OptionNumber.Block1, (number << 4) | (more ? 0x08 : 0) | BLOCK_1024);

  it("a stolen unfinished upload: who has the port goes on neither without the grant nor with another body", () => {
    const { scene, client } = attested();
    const file = new Uint8Array(3_000).fill(1);
    const query = [client.grant("PUT", "key", file)];
    const send = singleMessages(scene, client);
    const part = (number: number, more: boolean, bytes: Uint8Array, asked: readonly string[]) =>
      send(Code.Put, at("key"), asked, [block(number, more)], bytes).text;
    assert.equal(part(0, true, file.subarray(0, 1_024), query), "2.31");
    assert.match(part(1, false, new Uint8Array(1_024), []), /^4\.08/, "no such transfer without the grant");
    assert.match(part(1, false, new Uint8Array(1_024), query), /^4\.01/, "another body");
    assert.match(send(Code.Put, at("key"), query, [], file).text, /^4\.01|^4\.13/, "and that used it up");
    const [platform] = scene.domain.platforms.list();
    assert.deepEqual(scene.domain.files.read(platform?.id ?? "", "key"), utf8("secret"));
  });

  it("an unfinished upload ends with its session", () => {
    const { scene, client } = attested();
    const send = singleMessages(scene, client);
    const part = (number: number) => send(Code.Put, at("key"), [], [block(number, true)], new Uint8Array(1_024)).text;
    assert.equal(part(0), "2.31");
    assert.equal(part(1), "2.31");
    scene.server.endSessions();
    assert.match(part(2), /^4\.08/);
  });

  it("a file is read in blocks of any order with one grant, also when the first request carries Observe or an ETag", () => {
    const { scene, client } = attested();
    const file = new Uint8Array(3_000).fill(65);
    assert.equal(put(client, "long", file), "2.01");
    const queries = [0, 1, 2].map(() => [client.grant("GET", "long")]);
    const ask = singleMessages(scene, client);
    const asked = (number: number) => uintOption(OptionNumber.Block2, (number << 4) | BLOCK_1024);
    const first = [[], [uintOption(OptionNumber.Observe, 0)], [{ number: OptionNumber.ETag, value: utf8("v") }]];
    for (const [i, more] of first.entries()) {
      const query = queries[i] ?? [];
      const codes = [0, 2, 1, 2].map((n) =>
        ask(Code.Get, at("long"), query, n === 0 ? [...more, asked(n)] : [asked(n)]).text.slice(0, 5),
      );
      assert.deepEqual(codes, Array(4).fill("2.05 "));
      assert.match(ask(Code.Get, at("long"), query, [asked(0)]).text, /^4\.01/, "the grant is used up");
    }
    scene.server.endSessions();
    assert.match(ask(Code.Get, at("long"), queries[0] ?? [], [asked(1)]).text, /^4\.04/);
  });
});
