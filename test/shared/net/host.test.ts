import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createMemoryLinkPair } from "../../../hw/net/memory.ts";
import { decode, encode, fromHex } from "../../../shared/bytes/index.ts";
import {
  ArpOperation,
  ArpPacket,
  arpPacket,
  BROADCAST_MAC,
  createHost,
  type DropReason,
  decodeUdp,
  EthernetFrame,
  EtherType,
  encodeUdp,
  type HostOptions,
  IcmpMessage,
  IcmpType,
  IpProtocol,
  Ipv4Packet,
} from "../../../shared/net/index.ts";
import type { FrameLink } from "../../../shared/ports/index.ts";
import { datagramPortContract } from "../../contract/datagram-port.ts";
import { fuzzDecoder } from "../../support/fuzz.ts";

const TOKEN = { mac: Uint8Array.of(0, 0x11, 0x22, 0x33, 0x44, 0x55), address: "169.254.0.1" };
const PEER = { mac: Uint8Array.of(0x6e, 0xc4, 1, 0x9e, 0x0f, 0x2c), address: "169.254.0.8" };
const LONGEST_FRAME_BYTES = 1_514;
const NO_MAC = new Uint8Array(6);

/** A host under test and, at the other end of its link, a hand that lays out frames itself. */
function setUp(options: Partial<HostOptions> = {}) {
  const clock = new VirtualClock();
  const [link, wire] = createMemoryLinkPair();
  const host = createHost({ link, clock, ...TOKEN, ...options });
  const frames: EthernetFrame[] = [];
  wire.onFrame((bytes) => frames.push(decode(EthernetFrame, bytes)));
  const send = (etherType: number, payload: Uint8Array, destination: Uint8Array = TOKEN.mac) =>
    wire.send(encode(EthernetFrame, { destination, source: PEER.mac, etherType, payload }));
  const arp = (fields: Partial<ArpPacket>, destination: Uint8Array = TOKEN.mac) => {
    const usual = {
      senderMac: PEER.mac,
      senderAddress: PEER.address,
      targetMac: TOKEN.mac,
      targetAddress: TOKEN.address,
    };
    send(
      EtherType.Arp,
      encode(ArpPacket, { ...arpPacket({ operation: ArpOperation.Reply, ...usual }), ...fields }),
      destination,
    );
  };
  const ip = (fields: Partial<Ipv4Packet>, destination?: Uint8Array) =>
    send(EtherType.Ipv4, encode(Ipv4Packet, { ...packetDefaults, ...fields }), destination);
  const udp = (port: number, text: string, fields: Partial<Ipv4Packet> = {}, destination?: Uint8Array) => {
    const datagram = { sourcePort: 5_000, destinationPort: port, payload: Buffer.from(text) };
    const { source, destination: to } = { ...packetDefaults, ...fields };
    ip({ protocol: IpProtocol.Udp, payload: encodeUdp(datagram, source, to), ...fields }, destination);
  };
  /** Frames since the last call. */
  const taken = () => frames.splice(0);
  const dropped = () =>
    Object.fromEntries(Object.entries(host.counters.dropped).filter(([, count]) => count > 0)) as Partial<
      Record<DropReason, number>
    >;
  return { clock, link, wire, host, send, arp, ip, udp, taken, dropped };
}

const packetDefaults: Ipv4Packet = {
  typeOfService: 0,
  identification: 7,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: IpProtocol.Udp,
  source: PEER.address,
  destination: TOKEN.address,
  options: new Uint8Array(0),
  payload: new Uint8Array(0),
};

const ipOf = (frame: EthernetFrame | undefined) => {
  assert.equal(frame?.etherType, EtherType.Ipv4);
  return decode(Ipv4Packet, frame.payload);
};
const arpOf = (frame: EthernetFrame | undefined) => {
  assert.equal(frame?.etherType, EtherType.Arp);
  return decode(ArpPacket, frame.payload);
};
const icmpOf = (frame: EthernetFrame | undefined) => decode(IcmpMessage, ipOf(frame).payload);

describe("host: ARP (RFC 826)", () => {
  it("answers who asks for its address, and knows the asker from then on", () => {
    const { host, arp, taken } = setUp();
    arp({ operation: ArpOperation.Request, targetMac: NO_MAC }, BROADCAST_MAC);
    const [reply, ...others] = taken();
    assert.deepEqual(others, []);
    assert.deepEqual(reply?.destination, PEER.mac);
    assert.deepEqual(arpOf(reply), {
      ...arpPacket({
        operation: ArpOperation.Reply,
        senderMac: TOKEN.mac,
        senderAddress: TOKEN.address,
        targetMac: PEER.mac,
        targetAddress: PEER.address,
      }),
    });
    host.udp().send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    assert.equal(ipOf(taken()[0]).destination, PEER.address);
  });

  it("answers a probe, which has no sender address (RFC 5227)", () => {
    const { arp, taken } = setUp();
    arp({ operation: ArpOperation.Request, senderAddress: "0.0.0.0", targetMac: NO_MAC }, BROADCAST_MAC);
    assert.equal(arpOf(taken()[0]).targetAddress, "0.0.0.0");
  });

  it("neither answers nor learns what is meant for others", () => {
    const { host, arp, taken } = setUp();
    arp({ operation: ArpOperation.Request, targetAddress: "169.254.0.9" }, BROADCAST_MAC);
    arp({ operation: ArpOperation.Request, targetAddress: PEER.address }, BROADCAST_MAC); // gratuitous
    assert.deepEqual(taken(), []);
    host.udp().send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    assert.equal(arpOf(taken()[0]).operation, ArpOperation.Request);
  });

  it("learns a new MAC address of a known neighbour from a gratuitous packet", () => {
    const { host, arp, taken } = setUp();
    arp({});
    const moved = Uint8Array.of(2, 0, 0, 0, 0, 9);
    arp({ operation: ArpOperation.Request, senderMac: moved, targetAddress: PEER.address }, BROADCAST_MAC);
    host.udp().send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    assert.deepEqual(taken()[0]?.destination, moved);
  });

  it("asks again for a neighbour whose packets come from another MAC address than the one it told", () => {
    const { host, arp, udp, taken } = setUp();
    const port = host.udp(9);
    port.onDatagram((datagram, from) => port.send(datagram, from));
    const damaged = Uint8Array.from(PEER.mac, (octet, i) => (i === 5 ? octet ^ 1 : octet));
    arp({ senderMac: damaged });
    udp(9, "one");
    assert.equal(arpOf(taken()[0]).targetAddress, PEER.address);
    arp({});
    assert.deepEqual(taken()[0]?.destination, PEER.mac, "what waited");
    udp(9, "two");
    assert.deepEqual(
      taken().map(({ etherType, destination }) => [etherType, destination]),
      [[EtherType.Ipv4, PEER.mac]],
    );
  });

  it("asks once a second at most for a neighbour that goes on sending from another MAC address, and answers it meanwhile", () => {
    const { host, clock, arp, udp, taken } = setUp();
    const port = host.udp(9);
    port.onDatagram((datagram, from) => port.send(datagram, from));
    const told = Uint8Array.of(2, 0, 0, 0, 0, 0xb); // of a bond, or of a second card
    let requests = 0;
    let replies = 0;
    const exchange = () => {
      udp(9, "one");
      for (let frames = taken(); frames.length > 0; frames = taken()) {
        for (const { etherType, destination } of frames) {
          if (etherType === EtherType.Arp) {
            requests++;
            arp({ senderMac: told });
          } else {
            replies++;
            assert.deepEqual(destination, told);
          }
        }
      }
    };
    for (let i = 0; i < 1_000; i++) exchange();
    assert.deepEqual([requests, replies], [1, 1_000]);
    for (let i = 0; i < 100; i++) {
      clock.advance(100);
      exchange();
    }
    assert.deepEqual([requests, replies], [11, 1_100], "10 s later");
  });

  it("asks once a second, three times, keeps the eight latest packets, then drops and counts", () => {
    const { host, clock, taken, dropped } = setUp();
    const port = host.udp();
    for (let i = 0; i < 10; i++) port.send(Uint8Array.of(i), { address: PEER.address, port: 9 });
    assert.equal(taken().length, 1);
    assert.deepEqual(dropped(), { "arp-queue-full": 2 });
    clock.advance(999);
    assert.equal(taken().length, 0);
    clock.advance(1_001);
    assert.deepEqual(
      taken().map((frame) => arpOf(frame).targetAddress),
      [PEER.address, PEER.address],
    );
    clock.advance(10_000);
    assert.deepEqual(taken(), []);
    assert.deepEqual(dropped(), { "arp-queue-full": 2, "arp-unanswered": 8 });
    assert.equal(clock.nextDue(), undefined);
  });

  it("sends what waited, in order, when the answer comes", () => {
    const { host, clock, arp, taken } = setUp();
    const port = host.udp();
    for (let i = 0; i < 10; i++) port.send(Uint8Array.of(i), { address: PEER.address, port: 9 });
    clock.advance(1_500);
    taken();
    arp({});
    const payloads = taken().map((frame) => decodeUdp(ipOf(frame).payload, TOKEN.address, PEER.address).payload[0]);
    assert.deepEqual(payloads, [2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal(clock.nextDue(), undefined);
  });

  it("asks again when a minute has passed", () => {
    const { host, clock, arp, taken } = setUp();
    const port = host.udp();
    arp({});
    clock.advance(59_999);
    port.send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    assert.equal(taken()[0]?.etherType, EtherType.Ipv4);
    clock.advance(1);
    port.send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    assert.equal(taken()[0]?.etherType, EtherType.Arp);
  });

  it("keeps a bounded number of neighbours and of open questions", () => {
    const { host, arp, taken, dropped } = setUp();
    const port = host.udp();
    for (let i = 0; i < 100; i++) arp({ senderAddress: `169.254.1.${i}` });
    port.send(Uint8Array.of(1), { address: "169.254.1.99", port: 9 });
    port.send(Uint8Array.of(1), { address: "169.254.1.68", port: 9 });
    port.send(Uint8Array.of(1), { address: "169.254.1.67", port: 9 });
    assert.deepEqual(
      taken().map((frame) => frame.etherType),
      [EtherType.Ipv4, EtherType.Ipv4, EtherType.Arp],
    );
    for (let i = 0; i < 100; i++) port.send(Uint8Array.of(1), { address: `169.254.2.${i}`, port: 9 });
    assert.equal(taken().length, 15);
    assert.deepEqual(dropped(), { "arp-queue-full": 85 });
  });

  it("believes no group address, no conflict and no nonsense", () => {
    const { arp, taken, dropped } = setUp();
    arp({ senderMac: BROADCAST_MAC });
    arp({ senderMac: NO_MAC });
    arp({ senderAddress: "127.0.0.1" });
    arp({ senderAddress: "224.0.0.1" });
    arp({ senderAddress: TOKEN.address, senderMac: TOKEN.mac });
    arp({ senderAddress: TOKEN.address });
    assert.deepEqual(taken(), []);
    assert.deepEqual(dropped(), { "arp-address": 5, "arp-conflict": 1 });
  });
});

describe("host: ICMP (RFC 792, RFC 1122)", () => {
  const echo = (size: number) => ({
    type: IcmpType.EchoRequest,
    identifier: 77,
    sequence: 5,
    data: new Uint8Array(size).map((_, i) => i),
  });

  it("answers an echo request with the same data", () => {
    const { arp, ip, taken, host } = setUp();
    arp({});
    for (const size of [0, 1, 56, 1_472]) {
      ip({ protocol: IpProtocol.Icmp, payload: encode(IcmpMessage, echo(size)) });
      assert.deepEqual(icmpOf(taken()[0]), { ...echo(size), type: IcmpType.EchoReply });
    }
    assert.equal(host.counters.echoesAnswered, 4);
  });

  it("does not answer a broadcast echo", () => {
    const { arp, ip, taken, dropped } = setUp();
    arp({});
    const payload = encode(IcmpMessage, echo(1));
    ip({ protocol: IpProtocol.Icmp, payload, destination: "169.254.255.255" }, BROADCAST_MAC);
    ip({ protocol: IpProtocol.Icmp, payload, destination: "255.255.255.255" }, BROADCAST_MAC);
    assert.deepEqual(taken(), []);
    assert.deepEqual(dropped(), { "icmp-ignored": 2 });
  });

  it("says that a port is unreachable, quoting header and 64 bits", () => {
    const { arp, udp, taken, host } = setUp();
    arp({});
    udp(4_242, "hello, nobody there?", { options: Uint8Array.of(1, 1, 1, 1) });
    const message = icmpOf(taken()[0]);
    assert.ok(message.type === IcmpType.DestinationUnreachable);
    assert.equal(message.code, 3);
    assert.equal(message.original.byteLength, 24 + 8);
    assert.deepEqual([...message.original.slice(26, 28)], [4_242 >> 8, 4_242 & 0xff]);
    assert.equal(host.counters.unreachablesSent, 1);
  });

  it("says that a protocol is unreachable", () => {
    const { arp, ip, taken } = setUp();
    arp({});
    ip({ protocol: 6, payload: new Uint8Array(20) });
    const message = icmpOf(taken()[0]);
    assert.ok(message.type === IcmpType.DestinationUnreachable && message.code === 2);
  });

  it("says so at most ten times a second", () => {
    const { arp, udp, taken, clock, dropped } = setUp();
    arp({});
    for (let i = 0; i < 25; i++) udp(4_242, "x");
    assert.equal(taken().length, 10);
    assert.deepEqual(dropped(), { "udp-port-closed": 25, "icmp-limited": 15 });
    clock.advance(1_000);
    udp(4_242, "x");
    assert.equal(taken().length, 1);
  });

  it("says nothing about broadcasts, ICMP errors, fragments and senders that are nobody", () => {
    const { arp, udp, ip, taken, host } = setUp();
    arp({});
    udp(4_242, "x", { destination: "169.254.255.255" }, BROADCAST_MAC);
    udp(4_242, "x", { destination: "255.255.255.255" });
    udp(4_242, "x", {}, BROADCAST_MAC);
    udp(4_242, "x", { moreFragments: true });
    udp(4_242, "x", { fragmentOffset: 3 });
    for (const source of ["0.0.0.0", "127.0.0.1", "224.0.0.5", "169.254.255.255", "255.255.255.255", TOKEN.address]) {
      udp(4_242, "x", { source });
    }
    ip({ protocol: IpProtocol.Icmp, payload: Uint8Array.of(3, 3, 0, 0) });
    const error = { type: IcmpType.DestinationUnreachable, code: 3, unused: 0, original: new Uint8Array(28) } as const;
    ip({ protocol: IpProtocol.Icmp, payload: encode(IcmpMessage, error) });
    assert.deepEqual(taken(), []);
    assert.equal(host.counters.unreachablesReceived, 1);
  });
});

describe("host: UDP", () => {
  const peer = { address: PEER.address, port: 5_000 };

  it("delivers to the bound port, broadcasts too", () => {
    const { host, udp } = setUp();
    const got: string[] = [];
    host.udp(5_683).onDatagram((data, from) => {
      assert.deepEqual(from, peer);
      got.push(Buffer.from(data).toString());
    });
    udp(5_683, "one");
    udp(5_683, "two", { destination: "169.254.255.255" }, BROADCAST_MAC);
    udp(5_683, "three", { destination: "255.255.255.255" }, BROADCAST_MAC);
    udp(5_683, "four", { options: new Uint8Array(40).fill(1) });
    udp(5_683, "other's", { destination: "169.254.0.2" });
    assert.deepEqual(got, ["one", "two", "three", "four"]);
  });

  it("drops broadcasts where they are not wanted", () => {
    const { host, udp } = setUp({ hearsBroadcasts: false });
    const got: string[] = [];
    host.udp(5_683).onDatagram((data) => got.push(Buffer.from(data).toString()));
    udp(5_683, "two", { destination: "169.254.255.255" }, BROADCAST_MAC);
    udp(5_683, "three", { destination: "255.255.255.255" }, BROADCAST_MAC);
    udp(5_683, "one");
    assert.deepEqual(got, ["one"]);
    assert.equal(host.counters.dropped["udp-broadcast"], 2);
  });

  it("sends broadcasts without asking who has them", () => {
    const { host, taken } = setUp();
    for (const address of ["169.254.255.255", "255.255.255.255"]) {
      host.udp().send(Uint8Array.of(1), { address, port: 9 });
      assert.deepEqual(taken()[0]?.destination, BROADCAST_MAC);
    }
  });

  it("gives ephemeral ports from 49152, each once", async () => {
    const { host } = setUp();
    const first = host.udp();
    assert.deepEqual(first.local, { address: TOKEN.address, port: 49_152 });
    assert.equal(host.udp().local.port, 49_153);
    await first.close();
    assert.equal(host.udp().local.port, 49_154);
    assert.equal(host.udp(49_152).local.port, 49_152);
  });

  it("wraps around after the last port, past those in use", () => {
    const { host } = setUp({ ephemeralFrom: 65_534 });
    host.udp(65_534);
    assert.equal(host.udp().local.port, 65_535);
    assert.throws(() => host.udp(), /no ephemeral UDP port is free/);
  });

  it("refuses a taken port, no port, and more than 64", () => {
    const { host } = setUp();
    host.udp(5_683);
    assert.throws(() => host.udp(5_683), RangeError);
    for (const port of [0, -1, 65_536, 1.5]) assert.throws(() => host.udp(port), RangeError);
    for (let i = 1; i < 64; i++) host.udp();
    assert.throws(() => host.udp(), RangeError);
  });

  it("never fragments: a datagram over the MTU is dropped", () => {
    const { host, arp, taken, dropped } = setUp();
    arp({});
    host.udp().send(new Uint8Array(1_472), peer);
    assert.equal(ipOf(taken()[0]).payload.byteLength, 1_480);
    host.udp().send(new Uint8Array(1_473), peer);
    host.udp().send(new Uint8Array(70_000), peer);
    assert.deepEqual(taken(), []);
    assert.deepEqual(dropped(), { "ipv4-too-big": 2 });
  });

  it("sends nothing to itself, to groups and to nobody", () => {
    const { host, taken, dropped } = setUp();
    for (const address of [TOKEN.address, "224.0.0.1", "0.0.0.0", "127.0.0.1"]) {
      host.udp().send(Uint8Array.of(1), { address, port: 9 });
    }
    assert.deepEqual(taken(), []);
    assert.deepEqual(dropped(), { "ipv4-address": 4 });
  });
});

describe("host: what it drops", () => {
  it("is counted by reason", () => {
    const { host, wire, send, ip, dropped } = setUp();
    wire.send(new Uint8Array(13));
    send(EtherType.Ipv4, new Uint8Array(20), Uint8Array.of(2, 0, 0, 0, 0, 1));
    send(0x86dd, new Uint8Array(40));
    send(EtherType.Arp, new Uint8Array(27));
    send(EtherType.Ipv4, new Uint8Array(19));
    const good = encode(Ipv4Packet, packetDefaults);
    send(EtherType.Ipv4, good.map((byte, i) => (i === 8 ? byte ^ 1 : byte))); // biome-ignore format: one line, one frame
    ip({ destination: "169.254.0.77" });
    ip({ moreFragments: true });
    ip({ payload: new Uint8Array(7) });
    ip({ payload: Uint8Array.of(0, 1, 0, 2, 0, 8, 0xff, 0xfe) });
    ip({ protocol: IpProtocol.Icmp, payload: new Uint8Array(3) });
    ip({ protocol: IpProtocol.Icmp, payload: Uint8Array.of(8, 0, 1, 2, 0, 0, 0, 0) });
    const stray = { type: IcmpType.EchoReply, identifier: 1, sequence: 1, data: new Uint8Array(0) };
    ip({ protocol: IpProtocol.Icmp, payload: encode(IcmpMessage, stray) });
    assert.deepEqual(dropped(), {
      "ethernet-malformed": 1,
      "ethernet-address": 1,
      "ethernet-type": 1,
      "arp-malformed": 1,
      "ipv4-malformed": 1,
      "ipv4-checksum": 1,
      "ipv4-address": 1,
      "ipv4-fragment": 1,
      "udp-malformed": 1,
      "udp-checksum": 1,
      "icmp-malformed": 1,
      "icmp-checksum": 1,
      "icmp-ignored": 1,
    });
    assert.equal(host.counters.framesReceived, 13);
  });

  it("never makes it throw", () => {
    const { wire, host } = setUp();
    host.udp(5_683).onDatagram(() => undefined);
    const frame = (etherType: number, payload: Uint8Array) =>
      encode(EthernetFrame, { destination: TOKEN.mac, source: PEER.mac, etherType, payload });
    const seeds = [
      frame(EtherType.Ipv4, encode(Ipv4Packet, packetDefaults)),
      frame(EtherType.Arp, fromHex("00010800060400016ec4019e0f2ca9fe0008000000000000a9fe0001") ?? NO_MAC),
    ];
    let seen = 0;
    fuzzDecoder(
      "host",
      (input) => {
        wire.send(input);
        if (input.byteLength <= LONGEST_FRAME_BYTES) seen += 1; // no link carries longer ones
        decode(EthernetFrame, input);
      },
      seeds,
    );
    assert.equal(host.counters.framesReceived, seen);
  });

  it("lets a listener's bug out", () => {
    const { host, udp } = setUp();
    host.udp(5_683).onDatagram(() => {
      throw new Error("a bug");
    });
    assert.throws(() => udp(5_683, "x"), /a bug/);
  });
});

describe("host: life", () => {
  it("refuses addresses that no host has", () => {
    assert.throws(() => setUp({ address: "169.254.0" }), RangeError);
    assert.throws(() => setUp({ address: "224.0.0.1" }), RangeError);
    assert.throws(() => setUp({ mac: BROADCAST_MAC }), RangeError);
    assert.throws(() => setUp({ mac: new Uint8Array(5) }), RangeError);
  });

  it("leaves nothing behind when closed", async () => {
    const { host, clock, arp, udp, taken } = setUp();
    const port = host.udp(5_683);
    port.onDatagram(() => assert.fail("closed"));
    port.send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    const ping = host.ping(PEER.address);
    taken();
    host.close();
    assert.deepEqual(await ping, { ok: false, reason: "closed" });
    assert.deepEqual(await host.ping(PEER.address), { ok: false, reason: "closed" });
    assert.equal(clock.nextDue(), undefined);
    arp({ operation: ArpOperation.Request });
    udp(5_683, "x");
    port.send(Uint8Array.of(1), { address: PEER.address, port: 9 });
    assert.deepEqual(taken(), []);
  });
});

describe("two hosts", () => {
  function pair() {
    const clock = new VirtualClock();
    const [a, b] = createMemoryLinkPair();
    return { clock, a: createHost({ link: a, clock, ...TOKEN }), b: createHost({ link: b, clock, ...PEER }) };
  }

  it("ping each other", async () => {
    const { a, b } = pair();
    assert.deepEqual(await a.ping(PEER.address), { ok: true, elapsedMs: 0 });
    assert.deepEqual(await b.ping(TOKEN.address, new Uint8Array(1_472)), { ok: true, elapsedMs: 0 });
  });

  it("time a ping out", async () => {
    const { clock, a } = pair();
    const ping = a.ping("169.254.0.99", new Uint8Array(8), 400);
    clock.advance(400);
    assert.deepEqual(await ping, { ok: false, reason: "timeout" });
  });

  it("wait for sixteen pings at most", async () => {
    const { clock, a } = pair();
    const pings = Array.from({ length: 17 }, () => a.ping("169.254.0.99"));
    clock.advance(1_000);
    const results = await Promise.all(pings);
    assert.deepEqual(results[16], { ok: false, reason: "too-many" });
    assert.deepEqual(results[15], { ok: false, reason: "timeout" });
  });
});

datagramPortContract("host", async () => {
  const clock = new VirtualClock();
  const [linkA, linkB]: readonly [FrameLink, FrameLink] = createMemoryLinkPair();
  const a = createHost({ link: linkA, clock, ...TOKEN });
  const b = createHost({ link: linkB, clock, ...PEER });
  return {
    a: a.udp(),
    b: b.udp(5_683),
    async until(done) {
      for (let turn = 0; turn < 10; turn++) if (done()) return;
      assert.fail("the datagram did not arrive");
    },
    async close() {
      a.close();
      b.close();
    },
  };
});
