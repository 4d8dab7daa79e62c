import assert from "node:assert/strict";
import { encodeItem } from "../../../shared/cbor/index.ts";
import { Code, OptionNumber, uintOption } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { singleMessages, V1Scene } from "../../support/v1-scene.ts";

const BLOCK_1024 = 6;
const block = (option: number, number: number, more: boolean) =>
  uintOption(option, (number << 4) | (more ? 0x08 : 0) | BLOCK_1024);
const FORMAT_CBOR = uintOption(OptionNumber.ContentFormat, 60);
const KEY = `${V1.STORAGE}/key`;
const DATA = new Uint8Array(5_000).fill(7);

/** A map with one key, longer than a block. */
const long = (letter: string) => encodeItem(new Map([[letter.repeat(1_100), 0]]));

/** A file of an attested platform, grants for it, and programs at other ports that nobody attested, each with a session. */
function scene() {
  const all = new V1Scene();
  const victim = all.attested();
  const segments = KEY.split("/").slice(1);
  assert.equal(
    victim.said({ method: "PUT", path: segments, payload: DATA, query: [victim.grant("PUT", "key", DATA)] }),
    "2.01",
  );
  const [reads, writes] = [victim.grant("GET", "key"), victim.grant("PUT", "key", DATA)];
  const said = singleMessages(all, victim);
  const stranger = (port: number) => {
    const client = singleMessages(all, all.client(port));
    assert.match(client(Code.Get, V1.NONCE, [], []).text, /^2\.05/);
    return client;
  };
  return { all, said, reads, writes, stranger };
}

describe("API v1 server: strangers with sessions", () => {
  it("do not push out what an attested one reads", () => {
    const { said, reads, stranger } = scene();
    assert.match(said(Code.Get, KEY, [reads], []).text, /^2\.05/);
    for (let port = 50_000; port < 50_020; port++) {
      const other = stranger(port);
      for (let i = 0; i < 4; i++) other(Code.Post, V1.ATTEST, [`${i}`], [FORMAT_CBOR], long("A"));
    }
    assert.match(said(Code.Get, KEY, [reads], [block(OptionNumber.Block2, 1, false)]).text, /^2\.05/);
  });

  it("nor what it writes", () => {
    const { said, writes, stranger } = scene();
    const part = (n: number) => DATA.subarray(n * 1_024, (n + 1) * 1_024);
    const write = (n: number) => said(Code.Put, KEY, [writes], [block(OptionNumber.Block1, n, n < 4)], part(n)).text;
    assert.equal(write(0).slice(0, 4), "2.31");
    for (let port = 50_000; port < 50_008; port++) {
      const other = stranger(port);
      for (let i = 0; i < 4; i++) other(Code.Put, V1.EK, [`${i}`], [block(OptionNumber.Block1, 0, true)], part(0));
    }
    assert.deepEqual([1, 2, 3, 4].map((n) => write(n).slice(0, 4)), ["2.31", "2.31", "2.31", "2.04"]); // biome-ignore format: one line
  });

  it("nor what the token remembers of it: a write whose answer was lost is done once", () => {
    const { said, writes, stranger } = scene();
    const small = new Uint8Array();
    const wrote = said(Code.Put, KEY, [writes], [], small);
    const floods = Array.from({ length: 20 }, (_, i) => stranger(50_000 + i));
    for (let i = 0; i < 150; i++) for (const other of floods) other(Code.Get, V1.VERSION, [`${i}`], []);
    assert.equal(wrote.again().text, wrote.text);
  });

  it("nor the evidence by which it came to be attested, when the answer was lost", () => {
    const all = new V1Scene();
    const client = all.client();
    client.enrol();
    const { path, asked } = client.openAttestation();
    const evidence = client.evidence(asked);
    const said = singleMessages(all, client);
    const sent = said(Code.Post, path, [], [FORMAT_CBOR], evidence);
    assert.match(sent.text, /^2\.04/);
    const other = singleMessages(all, all.client(50_000));
    other(Code.Get, V1.NONCE, [], []);
    for (let i = 0; i < 2_100; i++) other(Code.Get, V1.VERSION, [`${i}`], []);
    assert.equal(sent.again().text, sent.text);
    assert.equal(all.server.sessions.attested, 1);
  });

  it("are told their mistakes in a few words, however long these are", () => {
    const { stranger } = scene();
    const other = stranger(50_000);
    const twice = Uint8Array.of(0xa2, ...long("B").subarray(1), ...long("B").subarray(1));
    for (const body of [long("A"), twice, encodeItem(new Map([["data", "C".repeat(900)]]))]) {
      const { text, datagram } = other(Code.Post, V1.ATTEST, [], [FORMAT_CBOR], body);
      assert.match(text, /^4\.0\d /);
      assert.ok((datagram?.byteLength ?? 0) < 400, text);
    }
  });
});
