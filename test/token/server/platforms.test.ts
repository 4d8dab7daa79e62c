import assert from "node:assert/strict";
import { fromHex, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import { Code, codeText, OptionNumber, uintOption } from "../../../shared/coap/index.ts";
import { signMessage } from "../../../shared/crypto/index.ts";
import {
  AuthorizedRequest,
  authorizeRequest,
  PlatformList,
  PlatformRemove,
  PlatformRename,
  SESSION_MS,
  V1,
} from "../../../shared/protocol/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";
import { decoded, posting, singleMessages, type V1Client, V1Scene } from "../../support/v1-scene.ts";

const NONE = new Uint8Array();
const RENAME = `${V1.PLATFORMS}/rename`;
const REMOVE = `${V1.PLATFORMS}/remove`;

interface Wish {
  readonly method: "FETCH" | "POST";
  readonly path: string;
  readonly body: Uint8Array;
  /** The device id of the token that the owner means. */
  readonly token?: string;
}

const LIST: Wish = { method: "FETCH", path: V1.PLATFORMS, body: NONE };
const renaming = (id: Uint8Array, name: string): Wish => {
  return { method: "POST", path: RENAME, body: encodeCbor(PlatformRename, { id, name }) };
};
const removing = (id: Uint8Array): Wish => ({ method: "POST", path: REMOVE, body: encodeCbor(PlatformRemove, { id }) });

/** The wish as its owner signs it. */
function signed(owner: FakeOwner, wish: Wish, nonce: Uint8Array): Uint8Array {
  return encodeCbor(AuthorizedRequest, authorizeRequest(wish, nonce, owner.issuing.key, seededRandom(5)));
}

/** What no owner's program would sign. */
function signedBody(owner: FakeOwner, data: Uint8Array, nonce: Uint8Array): Uint8Array {
  const message = Uint8Array.of(...data, ...nonce);
  const signature = signMessage(owner.issuing.key, "ecdsa-sha256", message, seededRandom(5));
  return encodeCbor(AuthorizedRequest, { data, signature, body: NONE });
}

const request = ({ method, path }: Wish, payload: Uint8Array) => ({ ...posting(path, payload), method });

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: the owner's platforms (extension 3), ${profile.name}`, () => {
    const scene = (store = memoryStore()) => {
      const made = new V1Scene({ profile, store });
      const client = made.client();
      assert.equal(client.enrol(), "2.04");
      made.news();
      const id = fromHex(made.domain.platforms.list()[0]?.id ?? "") ?? assert.fail();
      const ask = (wish: Wish, by: V1Client = client) => by.ask(request(wish, signed(made.owner, wish, by.nonce())));
      return { made, client, id, ask };
    };
    const said = ({ code, payload }: { code: number; payload: Uint8Array }) =>
      `${codeText(code)} ${new TextDecoder().decode(payload)}`.trim();

    it("lists each platform with its name, files and attested sessions", () => {
      const { made, client, id, ask } = scene();
      client.attest();
      made.client(2).attest();
      made.domain.files.write(toHex(id), "key", utf8("12345"));
      assert.equal(said(ask(renaming(id, "kitchen"))), "2.04");
      const answer = ask(LIST);
      assert.equal(answer.code, Code.Content);
      assert.equal(answer.contentFormat, profile === STRICT ? 60 : undefined);
      const platform = { manufacturer: "PC Engines", product_name: "apu2", serial_number: "1373268" };
      const expected = { id, name: "kitchen", ...platform, files: 1, bytes: 5, attested: 2 };
      assert.deepEqual(decoded(PlatformList, answer).platforms, [expected]);
      assert.equal(said(ask(renaming(id, ""))), "2.04");
      assert.equal(decoded(PlatformList, ask(LIST)).platforms[0]?.name, "");
    });

    it("removes platform, name and files in one commit; its sessions are attested no more", () => {
      const inner = memoryStore();
      const commits: number[] = [];
      const store = {
        ...inner,
        commit(changes: Parameters<typeof inner.commit>[0]) {
          commits.push(changes.size);
          return inner.commit(changes);
        },
      };
      const { made, client, id, ask } = scene(store);
      const second = made.client(2);
      for (const each of [client, second]) each.attest();
      made.domain.files.write(toHex(id), "key", utf8("1"));
      ask(renaming(id, "kitchen"));
      made.news();
      const before = commits.length;
      assert.equal(said(ask(removing(id))), "2.02");
      assert.equal(commits.length, before + 1);
      assert.deepEqual(made.news(), ["platform-removed", "attested-sessions 1", "attested-sessions 0"]);
      made.clock.advance(1_000); // the blinks of the enrolment
      assert.notEqual(made.lamp, "green");
      assert.deepEqual([...inner.keys("platform"), ...inner.keys("file")], []);
      for (const each of [client, second])
        assert.equal(each.said({ method: "GET", path: `${V1.STORAGE}/key` }), "4.04 not attested");
      assert.equal(said(ask(removing(id))), "4.04 no such platform");
      assert.equal(client.enrol(), "2.04", "it may come again");
    });

    it("another platform's sessions stay attested", () => {
      const { made, client, id, ask } = scene();
      client.attest();
      const aik = profile === STRICT ? "restricted-ecc" : "reference";
      const other = made.client(2, new FakeAttester({ aik, serialNumber: "2" }));
      other.enrol();
      other.attest();
      ask(removing(id));
      assert.equal(made.server.sessions.attested, 1);
      assert.equal(decoded(PlatformList, ask(LIST)).platforms[0]?.serial_number, "2");
    });

    it("4.04 for a platform that is not known, and on a token without owner", () => {
      const { ask } = scene();
      assert.equal(said(ask(renaming(new Uint8Array(32), "x"))), "4.04 no such platform");
      assert.equal(said(ask(removing(new Uint8Array(32)))), "4.04 no such platform");
      const client = new V1Scene({ profile, provisioned: false }).client();
      for (const wish of [LIST, renaming(NONE_ID, "x"), removing(NONE_ID)]) {
        assert.equal(client.said(request(wish, NONE)), "4.04 the token is not provisioned");
      }
    });

    it("4.03 without nonce, by another key, for another path, method, body or nonce; the nonce goes with it", () => {
      const { made, client, id } = scene();
      const wish = renaming(id, "mine");
      const stranger = new FakeOwner("stranger");
      const wrongs: Readonly<Record<string, (nonce: Uint8Array) => Uint8Array>> = {
        "another key": (nonce) => signed(stranger, wish, nonce),
        "another path": (nonce) => signed(made.owner, { ...wish, path: REMOVE }, nonce),
        "another method": (nonce) => signed(made.owner, { ...wish, method: "FETCH" }, nonce),
        "another nonce": () => signed(made.owner, wish, new Uint8Array(32)),
        "another body": (nonce) => {
          const { data, signature } = authorizeRequest(wish, nonce, made.owner.issuing.key, seededRandom(5));
          return encodeCbor(AuthorizedRequest, { data, signature, body: renaming(id, "his").body });
        },
      };
      for (const [what, make] of Object.entries(wrongs)) {
        const nonce = client.nonce();
        assert.equal(client.code(request(wish, make(nonce))), "4.03", what);
        assert.match(client.said(request(wish, signed(made.owner, wish, nonce))), /^4\.03 no nonce/, what);
      }
      assert.equal(made.domain.platforms.nameOf(toHex(id)), "");
      const nonce = client.nonce();
      const body = signed(made.owner, wish, nonce);
      assert.equal(client.code(request(wish, body)), "2.04");
      assert.match(client.said(request(wish, body)), /^4\.03 no nonce/, "replay");
      client.nonce();
      assert.equal(client.code(request(wish, body)), "4.03", "replay with another nonce");
    });

    it("4.03 for another token that the owner named, and the nonce goes with it; its own name is right", () => {
      const { made, client, id, ask } = scene();
      const own = made.domain.deviceId ?? assert.fail();
      for (const token of ["0", `${own}0`, own.toLowerCase(), `0${own}`].filter((text) => text !== own)) {
        for (const wish of [LIST, renaming(id, "mine"), removing(id)]) {
          const nonce = client.nonce();
          const meant = { ...wish, token };
          assert.equal(said(client.ask(request(wish, signed(made.owner, meant, nonce)))), `4.03 for token ${token}`);
          assert.match(client.said(request(wish, signed(made.owner, wish, nonce))), /^4\.03 no nonce/);
        }
      }
      assert.equal(ask({ ...LIST, token: own }).code, Code.Content);
      assert.equal(said(ask({ ...renaming(id, "mine"), token: own })), "2.04");
      assert.equal(said(ask({ ...removing(id), token: own })), "2.02");
    });

    it("4.03 for a token's name that is none: empty, or over 32 characters", () => {
      const { made, client } = scene();
      for (const token of [Uint8Array.of(0x60), Uint8Array.of(0x78, 33, ...utf8("A".repeat(33)))]) {
        const nonce = client.nonce();
        const { data } = authorizeRequest({ ...LIST, token: "A" }, nonce, made.owner.issuing.key, seededRandom(5));
        const changed = Uint8Array.of(...data.subarray(0, -2), ...token); // the text "A" stands last
        const body = signedBody(made.owner, changed, nonce);
        assert.match(client.said(request(LIST, body)), /^4\.03 authorization\.token/);
      }
    });

    it("4.04 for a platform that is called otherwise than the owner was shown", () => {
      const { made, id, ask } = scene();
      const facts = { manufacturer: "PC Engines", product_name: "apu2", serial_number: "1373268" };
      const rename = (more: object): Wish => ({ ...renaming(id, ""), body: encodeCbor(PlatformRename, { id, name: "x", ...more }) }); // biome-ignore format: one
      const remove = (more: object): Wish => ({ ...removing(id), body: encodeCbor(PlatformRemove, { id, ...more }) });
      const wrongs = [{ manufacturer: "PC Engine" }, { product_name: "" }, { ...facts, serial_number: "server" }];
      for (const wrong of wrongs) {
        assert.equal(said(ask(rename(wrong))), "4.04 the platform of this id is called otherwise");
        assert.equal(said(ask(remove(wrong))), "4.04 the platform of this id is called otherwise");
      }
      assert.equal(made.domain.platforms.nameOf(toHex(id)), "");
      for (const right of [facts, { serial_number: facts.serial_number }])
        assert.equal(said(ask(rename(right))), "2.04");
      assert.equal(said(ask(remove(facts))), "2.02");
      assert.equal(said(ask(remove(facts))), "4.04 no such platform");
    });

    it("the list is told again while its session lives, and not from memory when that has ended", () => {
      const { made, client } = scene();
      const body = signed(made.owner, LIST, client.nonce());
      const ask = singleMessages(made, client);
      const told = ask(Code.Fetch, LIST.path, [], [uintOption(OptionNumber.ContentFormat, 60)], body);
      assert.match(told.text, /^2\.05 /);
      assert.deepEqual(told.again().datagram, told.datagram, "its answer may have been lost");
      made.clock.advance(SESSION_MS);
      assert.match(told.again().text, /^4\.03 no nonce/);
    });

    it("4.00 for another format and malformed CBOR, outside and inside; the nonce is kept", () => {
      const { made, client, id } = scene();
      const nonce = client.nonce();
      const inside = (body: Uint8Array): Wish => ({ ...renaming(id, "x"), body });
      const bodies = [
        NONE,
        encodeItem(new Map()),
        signed(made.owner, inside(NONE), nonce),
        signed(made.owner, inside(encodeCbor(PlatformRemove, { id })), nonce),
        signed(made.owner, inside(encodeItem(new Map<string, string | Uint8Array>([["id", id], ["name", "x".repeat(65)]]))), nonce), // biome-ignore format: one
      ];
      for (const body of bodies) assert.equal(client.code(request(renaming(id, "x"), body)), "4.00");
      assert.equal(client.code({ ...request(LIST, signed(made.owner, LIST, nonce)), contentFormat: 42 }), "4.00");
      assert.equal(client.code(request(LIST, signed(made.owner, { ...LIST, body: utf8("x") }, nonce))), "4.00");
      assert.equal(client.code(request(LIST, signed(made.owner, LIST, nonce))), "2.05");
    });

    it("no room for a name: 5.00", () => {
      const inner = memoryStore();
      let full = false;
      const commit: typeof inner.commit = (changes) => (full ? "storage-full" : inner.commit(changes));
      const { id, ask } = scene({ ...inner, commit });
      full = true;
      assert.equal(said(ask(renaming(id, "x"))), "5.00 the token's storage is full");
    });

    it("other methods are 4.05", () => {
      const { client } = scene();
      assert.equal(client.code({ method: "GET", path: V1.PLATFORMS }), "4.05");
      assert.equal(client.code({ method: "FETCH", path: RENAME }), "4.05");
    });
  });
}

const NONE_ID = new Uint8Array(32);
