import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { concat, encode } from "../../../shared/bytes/index.ts";
import { EemPacket } from "../../../shared/eem/index.ts";
import { EthernetFrame, EtherType, encodeUdp, IpProtocol, Ipv4Packet } from "../../../shared/net/index.ts";
import { Feature, Request } from "../../../shared/usb/index.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { createToken, TOKEN_ADDRESS, TOKEN_MAC } from "../../../token/token.ts";
import { createEemFunction, EEM_IN, EEM_OUT } from "../../../token/usb/index.ts";
import { Chapter9Host, chapter9 } from "../../contract/chapter9.ts";
import { frameOf } from "../../contract/frame-link.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { seededRandom } from "../../support/random.ts";

const NO_DATA = new Uint8Array(0);

function newToken() {
  const clock = new VirtualClock();
  const button = { onChange: () => () => undefined };
  const env = {
    clock,
    random: seededRandom(1),
    flash: createRamFlash(),
    leds: { show: () => undefined },
    log: new TestLog(),
    button,
  };
  return { clock, token: createToken(env, { api: "v1", profile: STRICT }) };
}

chapter9("EEM function", () => createEemFunction({ serial: "TEST" }).usb);
chapter9("token", () => newToken().token.usb);

describe("transfers of the EEM function", () => {
  const wire = (size: number) => encode(EemPacket, { kind: "data", crc: "real", frame: frameOf(size) });
  const setUp = () => {
    const fn = createEemFunction({ serial: "TEST" });
    const host = new Chapter9Host(fn.usb).bring("configured");
    const frames: Uint8Array[] = [];
    fn.link.onFrame((frame) => frames.push(frame));
    return { fn, host, frames };
  };

  it("that were begun end with a halt: the host has thrown away its part of them", () => {
    const { fn, host, frames } = setUp();
    fn.link.send(frameOf(301));
    fn.link.send(frameOf(5));
    assert.equal(fn.usb.bulkIn(EEM_IN, 64) instanceof Uint8Array, true);
    host.halt(EEM_IN);
    host.done(2, Request.ClearFeature, Feature.EndpointHalt, EEM_IN);
    assert.deepEqual(fn.usb.bulkIn(EEM_IN, 1_536), wire(5));
    fn.usb.bulkOut(EEM_OUT, wire(301).slice(0, 128));
    host.halt(EEM_OUT);
    host.done(2, Request.ClearFeature, Feature.EndpointHalt, EEM_OUT);
    fn.usb.bulkOut(EEM_OUT, wire(7));
    assert.deepEqual(frames, [frameOf(7)]);
  });

  it("that wait outlast a halt", () => {
    const { fn, host } = setUp();
    fn.link.send(frameOf(301));
    host.halt(EEM_IN);
    fn.link.send(frameOf(5));
    host.done(2, Request.ClearFeature, Feature.EndpointHalt, EEM_IN);
    for (const size of [301, 5]) assert.deepEqual(fn.usb.bulkIn(EEM_IN, 1_536), wire(size));
  });

  it("outlast suspension on a bus of single packets", () => {
    const { fn, frames } = setUp();
    fn.link.send(frameOf(301));
    const first = fn.usb.bulkIn(EEM_IN, 64);
    fn.usb.suspend();
    assert.equal(fn.usb.bulkIn(EEM_IN, 64), "nak");
    fn.usb.resume();
    const rest = fn.usb.bulkIn(EEM_IN, 1_536);
    assert.ok(first instanceof Uint8Array && rest instanceof Uint8Array);
    assert.deepEqual(concat(first, rest), wire(301));
    const whole = wire(200);
    fn.usb.bulkOut(EEM_OUT, whole.slice(0, 64));
    fn.usb.suspend();
    assert.equal(fn.usb.bulkOut(EEM_OUT, whole.slice(64)), "nak");
    fn.usb.resume();
    assert.equal(fn.usb.bulkOut(EEM_OUT, whole.slice(64)), "ack");
    assert.deepEqual(frames, [frameOf(200)]);
  });
});

describe("a host that asks and never fetches", () => {
  it("does not grow the token", function () {
    this.timeout(20_000);
    const { token, clock } = newToken();
    new Chapter9Host(token.usb).bring("configured");
    const source = "169.254.0.8";
    const packet = (protocol: number, payload: Uint8Array) =>
      encode(Ipv4Packet, { typeOfService: 0, identification: 1, dontFragment: true, moreFragments: false, fragmentOffset: 0, ttl: 64, protocol, source, destination: TOKEN_ADDRESS, options: NO_DATA, payload }); // biome-ignore format: one line
    const frame = (payload: Uint8Array) =>
      encode(EemPacket, {
        kind: "data",
        crc: "real",
        frame: encode(EthernetFrame, {
          destination: TOKEN_MAC,
          source: Uint8Array.of(2, 0, 0, 0, 0, 8),
          etherType: EtherType.Ipv4,
          payload,
        }),
      });
    const arp = Buffer.from(
      "ffffffffffff020000000008080600010800060400010200000000 08a9fe0008000000000000a9fe0001".replaceAll(" ", ""),
      "hex",
    );
    token.usb.bulkOut(EEM_OUT, encode(EemPacket, { kind: "data", crc: "real", frame: Uint8Array.from(arp) }));
    const get = Uint8Array.of(0x40, 1, 0, 1, 0xb3, 0x61, 0x70, 0x69, 0x07, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e);
    const ask = (i: number) => {
      const datagram = get.slice();
      datagram.set([i >> 8, i & 0xff], 2);
      return frame(
        packet(
          IpProtocol.Udp,
          encodeUdp({ sourcePort: 40_000, destinationPort: 5683, payload: datagram }, source, TOKEN_ADDRESS),
        ),
      );
    };
    const echo = encode(EemPacket, { kind: "echo", data: new Uint8Array(1_000) });
    const round = (from: number) => {
      for (let i = from; i < from + 2_000; i++) {
        token.usb.bulkOut(EEM_OUT, ask(i));
        token.usb.bulkOut(EEM_OUT, echo);
        clock.advance(10);
      }
    };
    round(0);
    const fetched: number[] = [];
    for (
      let data = token.usb.bulkIn(EEM_IN, 1_536);
      data instanceof Uint8Array;
      data = token.usb.bulkIn(EEM_IN, 1_536)
    ) {
      fetched.push(data.byteLength);
    }
    // 64 packets at most, whatever was asked.
    const sum = fetched.reduce((a, b) => a + b, 0);
    assert.ok(fetched.length > 0 && sum <= 64 * 1_526, `${sum} bytes in ${fetched.length} transfers`);
    round(2_000);
    token.stop();
  });
});
