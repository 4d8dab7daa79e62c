import assert from "node:assert/strict";
import {
  Code,
  createEndpoint,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  MessageType,
  NO_BYTES,
  OptionNumber,
  optionUint,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import type { Clock, DatagramPort } from "../../../shared/ports/index.ts";
import { SESSION_MS, V1 } from "../../../shared/protocol/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { seededRandom } from "../../support/random.ts";
import { COMPUTER_ADDRESS, singleMessages, V1_TOKEN, type V1Client, V1Scene } from "../../support/v1-scene.ts";

const GET_NONCE = V1.NONCE.split("/")
  .filter(Boolean)
  .map((segment) => textOption(OptionNumber.UriPath, segment));

const GET_FILE = { method: "GET", path: `${V1.STORAGE}/none` } as const;

const NON_GET_NONCE = {
  type: MessageType.Non,
  code: Code.Get,
  coapToken: NO_BYTES,
  options: GET_NONCE,
  payload: NO_BYTES,
};

/** 4.04 with this text when not attested; 4.01 (strict) or another 4.04 (compat) when attested. */
const isAttested = (client: V1Client) => !client.said(GET_FILE).endsWith("not attested");

describe("API v1 server: how long a session lives", () => {
  it("it ends exactly 3 s after the last message", () => {
    for (const profile of [STRICT, COMPAT]) {
      const scene = new V1Scene({ profile });
      scene.attested().close();
      scene.news();
      scene.clock.advance(SESSION_MS - 1);
      assert.deepEqual(scene.server.sessions.attested, 1);
      assert.deepEqual(scene.news(), []);
      assert.equal(scene.lamp, "green");
      scene.clock.advance(1);
      assert.deepEqual([scene.server.sessions.open, scene.server.sessions.attested], [0, 0]);
      assert.deepEqual(scene.news(), ["attested-sessions 0"]);
      assert.notEqual(scene.lamp, "green");
    }
  });

  it("what the peer had in it is gone then: nonce, objects, owner's chain, attestation", () => {
    const scene = new V1Scene({ profile: COMPAT });
    const client = scene.attested();
    const nonce = client.nonce();
    const path = client.openEnrolment();
    const { path: attestation } = client.openAttestation();
    scene.clock.advance(SESSION_MS);
    const body = client.signed(client.attester.metadataBytes(), nonce);
    for (const late of [path, `${path}/meta`, attestation]) {
      assert.equal(client.code({ method: "POST", path: late, payload: body, contentFormat: 60 }), "4.04", late);
    }
    assert.equal(client.code({ method: "POST", path: V1.ATTEST, payload: body, contentFormat: 60 }), "4.03");
    assert.equal(isAttested(client), false);
  });

  it("every valid message keeps it: requests refused, unknown paths, duplicates, pings, RSTs; no malformed one", () => {
    const said: Readonly<Record<string, (client: V1Client) => void>> = {
      "an unknown path": (client) => void client.get("/none"),
      "a wrong format": (client) => void client.post(V1.ATTEST, NO_BYTES, { contentFormat: 0 }),
      "GET version": (client) => void client.get(V1.VERSION),
    };
    const raw: Readonly<Record<string, Uint8Array>> = {
      ping: encodeMessage(emptyMessage(MessageType.Con, 7)),
      "an RST that nobody waits for": encodeMessage(emptyMessage(MessageType.Rst, 8)),
      "an ACK that nobody waits for": encodeMessage(emptyMessage(MessageType.Ack, 9)),
    };
    const lives = (say: (scene: V1Scene, client: V1Client) => void): boolean => {
      const scene = new V1Scene({ profile: COMPAT });
      const client = scene.attested();
      scene.clock.advance(SESSION_MS - 1);
      say(scene, client);
      client.close();
      scene.clock.advance(SESSION_MS - 1);
      const alive = scene.server.sessions.attested === 1;
      scene.clock.advance(1);
      assert.equal(scene.server.sessions.open, 0);
      return alive;
    };
    for (const [what, say] of Object.entries(said))
      assert.ok(
        lives((_scene, client) => say(client)),
        what,
      );
    const sendRaw = (datagram: Uint8Array) => (scene: V1Scene, client: V1Client) => {
      client.close();
      scene.net.open(client.peer.address, client.peer.port).send(datagram, V1_TOKEN);
    };
    for (const [what, datagram] of Object.entries(raw)) assert.ok(lives(sendRaw(datagram)), what);
    assert.equal(lives(sendRaw(Uint8Array.of(0x40, 1))), false, "malformed");
    assert.equal(
      lives(() => undefined),
      false,
      "nothing",
    );
  });

  it("another port of the same computer is another session", () => {
    const scene = new V1Scene({ profile: COMPAT });
    const client = scene.attested();
    assert.equal(isAttested(client), true);
    assert.equal(isAttested(scene.client(40_001)), false);
  });

  it("is made by who needs one: not by version, unknown paths, refused formats, unknown ids or refused chains", () => {
    for (const profile of [STRICT, COMPAT]) {
      const scene = new V1Scene({ profile });
      const client = scene.client();
      client.get(V1.VERSION);
      client.get("/api");
      client.post(V1.EK, client.ekBody(), { contentFormat: 42 });
      client.post(V1.EK, Uint8Array.of(0xff));
      client.post(`${V1.PROVISION}/1/meta`, client.ekBody());
      client.post(`${V1.PROVISION}/1`, NO_BYTES);
      client.post(V1.AIK, client.aikBody(1));
      client.post(`${V1.ATTEST}/1`, NO_BYTES);
      client.get(`${V1.STORAGE}/x`);
      assert.equal(scene.server.sessions.open, 0);
      client.offerEk();
      assert.equal(scene.server.sessions.open, 1);
    }
  });
});

describe("API v1 server: pings", () => {
  /** What the token sent to the computer since. */
  const sentTo = (scene: V1Scene, from: number) =>
    scene.net.sent
      .slice(from)
      .filter(({ from: { port } }) => port === V1_TOKEN.port)
      .map(({ datagram }) => decodeMessage(datagram));

  it("strict: a silent peer is pinged after one second and after two; an answer keeps the session", () => {
    const scene = new V1Scene();
    const client = scene.client();
    client.nonce();
    const from = scene.net.sent.length;
    scene.clock.advance(999);
    assert.equal(sentTo(scene, from).length, 0);
    scene.clock.advance(1);
    assert.deepEqual(
      sentTo(scene, from).map(({ type, code }) => [type, code]),
      [[MessageType.Con, Code.Empty]],
    );
    scene.clock.advance(50_000);
    assert.equal(scene.server.sessions.open, 1, "the client resets every ping");
    client.close();
    const after = scene.net.sent.length;
    scene.clock.advance(60_000);
    assert.equal(sentTo(scene, after).length, 2, "and no ping follows the end");
    assert.equal(scene.server.sessions.open, 0);
  });

  it("a datagram in the name of somebody who answers pings gets that one no more than a minute of them", () => {
    const forged = encodeMessage({ ...NON_GET_NONCE, messageId: 1 });
    const answering: Readonly<Record<string, (port: DatagramPort, clock: Clock) => void>> = {
      "a CoAP server": (port, clock) =>
        createEndpoint({ port, clock, random: seededRandom(1, "victim") }).serve(() => ({ code: Code.Content })),
      "port 7, which sends all back": (port) => void port.onDatagram((datagram) => port.send(datagram, V1_TOKEN)),
    };
    for (const [what, answer] of Object.entries(answering)) {
      const { net, clock, server } = new V1Scene();
      const victim = net.open("169.254.0.9", 5683);
      victim.send(forged, V1_TOKEN);
      answer(victim, clock);
      clock.advance(600_000);
      assert.equal(server.sessions.open, 0, what);
      const bytes = net.sent
        .filter(({ to }) => to.address === victim.local.address)
        .reduce((sum, { datagram }) => sum + datagram.byteLength, 0);
      assert.ok(bytes < 600, `${what}: ${bytes} bytes`);
    }
  });

  it("who has used the nonce, or an id that it was given, keeps its session by answers alone; a minute is time for that", () => {
    const shown: Readonly<Record<string, (client: V1Client) => void>> = {
      nonce: (client) => void client.openAttestation(),
      id: (client) => void client.post(V1.AIK, client.aikBody(client.offerEk())),
    };
    for (const [what, show] of Object.entries(shown)) {
      const scene = new V1Scene();
      const before = scene.client(39_999);
      before.enrol();
      before.close();
      const client = scene.client();
      client.nonce();
      scene.clock.advance(59_000);
      assert.equal(scene.server.sessions.open, 1);
      show(client);
      scene.clock.advance(600_000);
      assert.equal(scene.server.sessions.open, 1, what);
    }
  });

  it("requests and pings of its own keep a session at any time", () => {
    const scene = new V1Scene();
    const client = scene.client();
    client.nonce();
    for (let minute = 0; minute < 5; minute++) {
      scene.clock.advance(50_000);
      if (minute % 2 === 0) client.get(V1.VERSION);
      else client.endpoint.ping(V1_TOKEN).catch(assert.fail);
      assert.equal(scene.server.sessions.open, 1);
    }
  });

  it("strict: who talks is not pinged, nor who has no session", () => {
    const scene = new V1Scene();
    const client = scene.client();
    scene.client(40_001).get(V1.VERSION);
    client.nonce();
    const from = scene.net.sent.length;
    for (let i = 0; i < 20; i++) {
      scene.clock.advance(900);
      client.get(V1.VERSION);
    }
    assert.ok(sentTo(scene, from).every(({ code }) => code === Code.Content));
  });

  it("compat: nobody is pinged", () => {
    const scene = new V1Scene({ profile: COMPAT });
    scene.client().nonce();
    const from = scene.net.sent.length;
    scene.clock.advance(10_000);
    assert.equal(scene.net.sent.length, from);
    assert.equal(scene.server.sessions.open, 0);
  });

  it("a client's ping is answered, and makes no session", () => {
    const scene = new V1Scene();
    const raw = scene.net.open(COMPUTER_ADDRESS, 50_000);
    const answers: number[] = [];
    raw.onDatagram((datagram) => answers.push(decodeMessage(datagram).type));
    raw.send(encodeMessage(emptyMessage(MessageType.Con, 1)), V1_TOKEN);
    assert.deepEqual(answers, [MessageType.Rst]);
    assert.equal(scene.server.sessions.open, 0);
  });
});

describe("API v1 server: room for sessions", () => {
  it("the least recently heard session that is not attested gives way", () => {
    const scene = new V1Scene({ profile: COMPAT, limits: { sessions: 3 } });
    const attested = scene.attested(1);
    const [second, third] = [scene.client(2), scene.client(3)];
    const nonce = second.nonce();
    third.nonce();
    second.get(V1.VERSION);
    scene.client(4).nonce();
    assert.equal(scene.server.sessions.open, 3);
    const body = second.signed(second.attester.metadataBytes(), nonce);
    assert.equal(second.code({ method: "POST", path: V1.ATTEST, payload: body, contentFormat: 60 }), "2.01");
    assert.ok(isAttested(attested));
    const lost = third.signed(third.attester.metadataBytes(), nonce);
    assert.match(third.said({ method: "POST", path: V1.ATTEST, payload: lost, contentFormat: 60 }), /^4\.03 no nonce/);
  });

  it("when all are attested: 5.03 with Max-Age, and the attested ones stay", () => {
    for (const profile of [STRICT, COMPAT]) {
      const scene = new V1Scene({ profile, limits: { sessions: 2 } });
      const clients = [scene.attested(1), scene.attested(2)];
      const late = scene.client(3);
      const answer = late.get(V1.NONCE);
      assert.equal(answer.code, Code.ServiceUnavailable);
      assert.equal(optionUint(answer.options, OptionNumber.MaxAge), 3);
      assert.equal(late.post(V1.EK, late.ekBody()).code, Code.ServiceUnavailable);
      assert.equal(late.get(V1.VERSION).code, Code.Content);
      assert.ok(clients.every(isAttested));
      clients[0]?.close();
      clients[1]?.close();
      scene.clock.advance(SESSION_MS);
      assert.equal(late.get(V1.NONCE).code, Code.Content);
    }
  });

  it("5.03 also where an owner would need one", () => {
    const scene = new V1Scene({ profile: COMPAT, provisioned: false, limits: { sessions: 0 } });
    const client = scene.client();
    assert.equal(client.post(V1.TOKEN_PROVISION, scene.owner.chainBody()).code, Code.ServiceUnavailable);
  });

  it("a flood of 10,000 peers turns off no green lamp and stops no service", function () {
    this.timeout(60_000);
    const scene = new V1Scene();
    const client = scene.attested();
    scene.clock.advance(1_000);
    const file = new Uint8Array(1_500).fill(7);
    const uploader = scene.attested(41_000);
    const query = [uploader.grant("PUT", "big", file)];
    const send = singleMessages(scene, uploader);
    const block = (number: number, bytes: Uint8Array) =>
      send(Code.Put, `${V1.STORAGE}/big`, query, [uintOption(OptionNumber.Block1, number === 0 ? 0x0e : 0x16)], bytes);
    assert.equal(block(0, file.subarray(0, 1_024)).text, "2.31");
    for (let i = 0; i < 10_000; i++) {
      const port = scene.net.open(`169.254.${1 + (i >> 8)}.${i & 255}`, 1_024);
      const options = GET_NONCE;
      port.send(
        encodeMessage({
          type: MessageType.Con,
          code: Code.Get,
          messageId: 1,
          coapToken: NO_BYTES,
          options,
          payload: NO_BYTES,
        }),
        V1_TOKEN,
      );
      void port.close();
      if (i % 100 === 0) {
        scene.clock.advance(10);
        assert.ok(scene.server.sessions.open <= 32);
        assert.ok(isAttested(client));
        assert.equal(scene.lamp, "green");
      }
      scene.net.sent.length = 0;
    }
    assert.equal(scene.server.sessions.open, 32);
    assert.equal(block(1, file.subarray(1_024)).text, "2.01", "an unfinished upload was not pushed out");
    assert.equal(client.attest(), "2.04");
    scene.clock.advance(5_000);
    assert.deepEqual([scene.server.sessions.open, scene.server.sessions.attested], [1, 1]);
    assert.ok(scene.lamps.filter(([at]) => at >= 1_000).every(([, name]) => name === "green"));
  });

  it("ids, contexts and grants of one session are bounded: the oldest of a kind gives way", () => {
    const scene = new V1Scene({ profile: COMPAT });
    const client = scene.client();
    const first = client.offerEk();
    for (let i = 0; i < 7; i++) client.offerEk();
    assert.equal(client.post(V1.AIK, client.aikBody(first)).code, Code.Created);
    client.offerEk();
    assert.equal(client.post(V1.AIK, client.aikBody(first)).code, Code.NotFound);
    client.enrol();
    const { path, asked } = client.openAttestation();
    for (let i = 0; i < 8; i++) client.openAttestation();
    assert.equal(client.code({ method: "POST", path, payload: client.evidence(asked), contentFormat: 60 }), "4.04");
  });
});

describe("API v1 server: what else ends sessions", () => {
  it("unplugging ends those of the port; nothing is answered any more", () => {
    const scene = new V1Scene();
    const client = scene.attested();
    const second = scene.net.open("10.0.0.1", 5683);
    const stop = scene.server.serve(second);
    scene.news();
    scene.unserve();
    assert.deepEqual(scene.news(), ["attested-sessions 0"]);
    assert.equal(scene.server.sessions.open, 0);
    const sent = scene.net.sent.length;
    client.endpoint.start(V1_TOKEN, { method: "GET", path: V1.VERSION }, () => undefined);
    assert.equal(scene.net.sent.length, sent + 1);
    stop();
  });

  it("endSessions ends all, as silence does", () => {
    const scene = new V1Scene();
    const client = scene.attested();
    scene.news();
    scene.server.endSessions();
    assert.deepEqual(scene.news(), ["attested-sessions 0"]);
    assert.equal(isAttested(client), false);
  });

  it("two ports of the token keep their sessions apart", () => {
    const scene = new V1Scene({ profile: COMPAT });
    const client = scene.attested();
    const stop = scene.server.serve(scene.net.open("10.0.0.1", 5683));
    assert.ok(isAttested(client));
    let code: number | undefined;
    client.endpoint.start({ address: "10.0.0.1", port: 5683 }, GET_FILE, (outcome) => {
      code = outcome.ok ? outcome.response.code : undefined;
    });
    scene.clock.advance(0);
    assert.equal(code, Code.NotFound);
    stop();
    assert.ok(isAttested(client));
  });
});
