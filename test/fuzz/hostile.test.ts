/** Those that take what strangers send: nothing of it makes them throw, and afterwards they do their work. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { createMemoryLinkPair } from "../../hw/net/memory.ts";
import { createMemoryUsbHost } from "../../hw/usb-host/memory.ts";
import { CodecError, concat, decode, encode } from "../../shared/bytes/index.ts";
import { type CoapOutcome, Code, createEndpoint, encodeMessage, MessageType } from "../../shared/coap/index.ts";
import { EemPacket, EemReceiver } from "../../shared/eem/index.ts";
import { createHost, EthernetFrame, EtherType, encodeUdp, IpProtocol, Ipv4Packet } from "../../shared/net/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { SetupPacket } from "../../shared/usb/index.ts";
import { COMPAT } from "../../token/domain/profile.ts";
import { createToken, TOKEN_ADDRESS, TOKEN_MAC } from "../../token/token.ts";
import { EEM_OUT } from "../../token/usb/index.ts";
import { CLIENT, CoapPair, SERVER, TestLog } from "../support/coap-pair.ts";
import { DatagramNet } from "../support/datagram-net.ts";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { fuzzedInputs, fuzzInputs } from "../support/fuzz.ts";
import { seededRandom } from "../support/random.ts";
import { hex } from "./decoder.ts";

const COMPUTER = { mac: hex("6ec4019e0f2c"), address: "169.254.0.8" };
const NO_BYTES = new Uint8Array(0);

/** Requests and replies, whole and block-wise. */
const datagrams = [
  "40 01 7d34 b3 617069",
  "48 02 0001 0102030405060708 b3 617069 11 3c d1 02 0e ff 00010203",
  "41 05 0002 20 b1 62 11 2a d1 03 26",
  "60 45 0003 ff 3232",
  "61 5f 0004 20 d1 0e 0e",
  "41 45 0005 53 c1 3c d1 0a 0e ff 0102",
  "40 00 0006",
  "70 00 0007",
].map(hex);

describe("under whatever strangers send", () => {
  it("a CoAP endpoint, server and client, answers the next request", () => {
    const pair = new CoapPair();
    pair.server.serve(({ payload }) => ({ code: Code.Content, payload }));
    const stranger = pair.net.open("10.0.0.3", 5683);
    let sent = 0;
    for (const input of fuzzedInputs("CoAP endpoint", datagrams)) {
      stranger.send(input, sent++ % 2 === 0 ? SERVER : CLIENT);
      if (sent % 50 === 0) pair.clock.advance(1000);
    }
    pair.clock.advance(300_000);
    const outcomes: CoapOutcome[] = [];
    const payload = new Uint8Array(3000).fill(7);
    pair.client.start(SERVER, { method: "POST", path: "echo", payload }, (outcome) => outcomes.push(outcome));
    pair.clock.advance(10_000);
    const [outcome] = outcomes;
    assert.ok(outcome?.ok, JSON.stringify(outcome));
    assert.deepEqual(outcome.response.payload, payload);
    assert.deepEqual(
      pair.log.lines.filter((line) => line.startsWith("error")),
      [],
    );
  });

  it("a host receives the next datagram", () => {
    const clock = new VirtualClock();
    const [link, wire] = createMemoryLinkPair();
    const host = createHost({ link, clock, mac: TOKEN_MAC, address: TOKEN_ADDRESS });
    const received: Uint8Array[] = [];
    host.udp(5683).onDatagram((datagram) => received.push(datagram));
    const udp = { sourcePort: 7, destinationPort: 5683, payload: hex("010203") };
    const packet = {
      typeOfService: 0,
      identification: 0,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: IpProtocol.Udp,
      source: COMPUTER.address,
      destination: TOKEN_ADDRESS,
      options: NO_BYTES,
      payload: encodeUdp(udp, COMPUTER.address, TOKEN_ADDRESS),
    };
    const frame = (etherType: number, payload: Uint8Array) =>
      encode(EthernetFrame, { destination: TOKEN_MAC, source: COMPUTER.mac, etherType, payload });
    const good = frame(EtherType.Ipv4, encode(Ipv4Packet, packet));
    const arp = frame(EtherType.Arp, hex("0001 0800 06 04 0001 6ec4019e0f2c a9fe0008 000000000000 a9fe0001"));
    for (const input of fuzzedInputs("host", [good, arp])) wire.send(input);
    received.length = 0;
    wire.send(good);
    assert.deepEqual(received, [udp.payload]);
  });

  it("an EEM receiver finds the packet of a later transfer", () => {
    const packet: EemPacket = { kind: "data", crc: "real", frame: new Uint8Array(60).fill(5) };
    const good = encode(EemPacket, packet);
    for (const usbPacketBytes of [undefined, 64]) {
      const receiver = new EemReceiver(usbPacketBytes === undefined ? {} : { usbPacketBytes });
      const seeds = [good, concat(good, good), encode(EemPacket, { kind: "echo", data: hex("0102") })];
      for (const input of fuzzedInputs("EEM receiver", seeds)) receiver.feed(input);
      receiver.feed(NO_BYTES);
      // The longest packet that garbage can announce, an echo, swallows 2047 bytes.
      const heard = new Array<Uint8Array>(40)
        .fill(good)
        .flatMap((transfer) => [...receiver.feed(transfer), ...receiver.feed(NO_BYTES)]);
      assert.deepEqual(heard.at(-1), packet);
    }
  });

  it("a token behind its link attests the computer afterwards", function () {
    this.timeout(600_000);
    const [clock, log] = [new VirtualClock(), new TestLog()];
    const [attester, owner] = [new FakeAttester(), new FakeOwner()];
    const { token, events } = newToken(clock, log, attester, owner);
    const usb = createMemoryUsbHost(token.usb, { clock });
    const host = createHost({ link: usb.link, clock, ...COMPUTER });
    const port = host.udp(5683);
    let peer: Peer = { address: TOKEN_ADDRESS, port: 49_152 };
    port.onDatagram((_, from) => {
      peer = from;
    });
    usb.plug();
    const { bulk, control, replies } = hostile();
    let turn = 0;
    for (const input of fuzzedInputs("token", [...datagrams, ...replies])) {
      if (turn % 4 === 0) token.usb.bulkOut(EEM_OUT, bulk(input));
      else if (turn % 4 === 1) control(input, token.usb);
      else if (turn % 4 === 2) usb.link.send(input);
      else port.send(input, peer);
      if (++turn % 20 === 0) clock.advance(100);
      if (turn % 400 === 0) {
        usb.unplug();
        usb.plug();
      }
    }
    usb.unplug();
    const computer = createEndpoint({ port, clock, random: seededRandom(1), log });
    computer.serve((request) =>
      ["cert_chain", "csr"].includes(request.path[0] ?? "") ? owner.handler(request) : attester.handler(request),
    );
    events.length = 0;
    usb.plug();
    clock.advance(60_000);
    assert.ok(events.includes("attested"), events.join());
    assert.deepEqual(
      log.lines.filter((line) => line.startsWith("error")),
      [],
    );
    token.stop();
  });

  it("a token attests a computer whose answers were nonsense before", function () {
    this.timeout(600_000);
    const [clock, log] = [new VirtualClock(), new TestLog()];
    const net = new DatagramNet(clock);
    const [attester, owner] = [new FakeAttester(), new FakeOwner()];
    const { token, events } = newToken(clock, log, attester, owner);
    const computer = createEndpoint({ port: net.open(COMPUTER.address, 5683), clock, random: seededRandom(1), log });
    const count = Math.ceil(fuzzInputs / 25);
    let answers = 0;
    computer.serve(async (request) => {
      const isOwners = ["cert_chain", "csr"].includes(request.path[0] ?? "");
      const reply = await (isOwners ? owner : attester).handler(request);
      answers++;
      // Every third answer is right, so that the token gets on.
      if (answers > count || answers % 3 === 0) return reply;
      const [payload] = fuzzedInputs(`answer ${answers}`, [reply.payload ?? NO_BYTES], 1);
      return { ...reply, payload };
    });
    token.serve(net.open(TOKEN_ADDRESS, 49_152));
    const goOn = async (isDone: () => boolean) => {
      for (let seconds = 0; !isDone() && seconds < 100_000; seconds++) {
        clock.advance(1000);
        await Promise.resolve();
      }
    };
    return goOn(() => answers > count)
      .then(() => {
        assert.ok(answers > count, `${answers} answers`);
        events.length = 0;
        token.wipe();
        return goOn(() => events.includes("attested"));
      })
      .then(() => assert.ok(events.includes("attested"), events.join()));
  });
});

type Usb = ReturnType<typeof createToken>["usb"];

/** What a computer can do to a stick beside sending datagrams. */
function hostile() {
  return {
    /** Half of the transfers hold the input as a frame with a right CRC. */
    bulk: (input: Uint8Array) =>
      input.byteLength % 2 === 0 ? input : encode(EemPacket, { kind: "data", crc: "real", frame: input }),
    control(input: Uint8Array, usb: Usb): void {
      try {
        usb.control(decode(SetupPacket, input.subarray(0, 8)), input.subarray(8));
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
      }
    },
    replies: [Code.Content, Code.Created, Code.NotFound].map((code) =>
      encodeMessage({
        type: MessageType.Ack,
        code,
        messageId: 1,
        coapToken: NO_BYTES,
        options: [],
        payload: hex("a1646461746140"),
      }),
    ),
  };
}

function newToken(clock: VirtualClock, log: TestLog, attester: FakeAttester, owner: FakeOwner) {
  const button = { onChange: () => () => undefined };
  const env = { clock, random: seededRandom(2), flash: createRamFlash(), leds: { show: () => undefined }, log, button };
  const roots = { ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] };
  const token = createToken(env, { api: "v0", profile: COMPAT, ...roots });
  const events: string[] = [];
  token.onEvent(({ type }) => events.push(type));
  return { token, events };
}
