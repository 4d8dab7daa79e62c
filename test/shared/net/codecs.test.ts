import assert from "node:assert/strict";
import fc from "fast-check";
import { CodecError, concat, decode, encode, fromHex, toHex } from "../../../shared/bytes/index.ts";
import {
  ArpOperation,
  ArpPacket,
  arpPacket,
  decodeArp,
  decodeIpv4,
  decodeUdp,
  directedBroadcast,
  EthernetFrame,
  encodeUdp,
  formatIpv4,
  formatMac,
  IcmpMessage,
  IcmpType,
  Ipv4Packet,
  internetChecksum,
  isIpv4,
  isUnicastIpv4,
  parseIpv4,
} from "../../../shared/net/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(/\s/g, ""));
  assert.ok(bytes);
  return bytes;
}

const bytes = (options: fc.IntArrayConstraints) => fc.uint8Array(options).map((array) => Uint8Array.from(array));
const anyAddress = fc.integer({ min: 0, max: 0xffff_ffff }).map(formatIpv4);
const anyMac = bytes({ minLength: 6, maxLength: 6 });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u8 = fc.integer({ min: 0, max: 0xff });

describe("internet checksum", () => {
  it("sums RFC 1071's example to ddf2", () => {
    assert.equal(internetChecksum(hex("0001f203f4f5f6f7")), 0xddf2 ^ 0xffff);
  });

  it("takes parts as one, odd ones too", () => {
    fc.assert(
      fc.property(bytes({ maxLength: 40 }), bytes({ maxLength: 40 }), (a, b) => {
        assert.equal(internetChecksum(a, b), internetChecksum(concat(a, b)));
      }),
    );
  });

  it("folds a long sum", () => {
    assert.equal(internetChecksum(new Uint8Array(200_000).fill(0xff)), 0);
  });
});

describe("addresses", () => {
  it("are four octets without leading zeros", () => {
    for (const good of ["0.0.0.0", "169.254.0.1", "255.255.255.255", "10.20.30.40"]) {
      assert.equal(formatIpv4(parseIpv4(good)), good);
    }
    for (const bad of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "256.1.1.1",
      "01.2.3.4",
      "1.2.3.4 ",
      "1..2.3",
      "a.b.c.d",
      "1.2.3.4.",
    ]) {
      assert.equal(isIpv4(bad), false, bad);
      assert.throws(() => parseIpv4(bad), RangeError);
    }
  });

  it("know their broadcast address and which are nobody's", () => {
    assert.equal(directedBroadcast("169.254.0.1", 16), "169.254.255.255");
    assert.equal(directedBroadcast("10.1.2.3", 8), "10.255.255.255");
    assert.equal(directedBroadcast("10.1.2.3", 32), "10.1.2.3");
    assert.equal(directedBroadcast("10.1.2.3", 0), "255.255.255.255");
    assert.deepEqual(["0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.0.1"].map(isUnicastIpv4), [
      false,
      false,
      false,
      false,
      true,
    ]);
    assert.equal(formatMac(hex("001122334455")), "00:11:22:33:44:55");
  });
});

describe("Ethernet", () => {
  it("has its fields in order", () => {
    const frame = decode(EthernetFrame, hex("ffffffffffff 001122334455 0806 0102"));
    assert.deepEqual(frame, {
      destination: hex("ffffffffffff"),
      source: hex("001122334455"),
      etherType: 0x0806,
      payload: hex("0102"),
    });
    assert.equal(toHex(encode(EthernetFrame, frame)), "ffffffffffff00112233445508060102");
  });

  it("refuses less than a header", () => {
    for (let size = 0; size < 14; size++) {
      assert.throws(() => decode(EthernetFrame, new Uint8Array(size)), CodecError);
    }
    fuzzDecoder("Ethernet", (input) => decode(EthernetFrame, input), [new Uint8Array(14)]);
  });
});

describe("ARP", () => {
  // Laid out by hand after RFC 826: who has 169.254.0.1, tell 169.254.0.8.
  const request = hex("0001 0800 06 04 0001 6ec4019e0f2c a9fe0008 000000000000 a9fe0001");

  it("reads and writes a request", () => {
    const arp = decode(ArpPacket, request);
    assert.deepEqual(
      arp,
      arpPacket({
        operation: ArpOperation.Request,
        senderMac: hex("6ec4019e0f2c"),
        senderAddress: "169.254.0.8",
        targetMac: new Uint8Array(6),
        targetAddress: "169.254.0.1",
      }),
    );
    assert.deepEqual(encode(ArpPacket, arp), request);
  });

  it("is strict, and cuts Ethernet padding only where asked", () => {
    assertStrict("ARP", (input) => decode(ArpPacket, input), request);
    assert.deepEqual(decodeArp(concat(request, new Uint8Array(18))), decode(ArpPacket, request));
  });

  it("refuses other hardware, protocols, lengths and operations", () => {
    for (const [at, value] of [
      [1, 6],
      [2, 0x86],
      [4, 8],
      [5, 16],
      [7, 3],
      [7, 0],
    ] as const) {
      // biome-ignore format: a table
      const bad = request.slice();
      bad[at] = value;
      assert.throws(() => decode(ArpPacket, bad), CodecError, `byte ${at}`);
    }
    fuzzDecoder("ARP", (input) => decode(ArpPacket, input), [request]);
  });
});

describe("IPv4", () => {
  // The header used in many texts on the IPv4 checksum (b861), with 95 bytes of payload.
  const classic = concat(hex("45000073 00004000 4011b861 c0a80001 c0a800c7"), new Uint8Array(95).fill(7));
  const withOptions = encode(Ipv4Packet, { ...decode(Ipv4Packet, classic), options: hex("94040000 01010100") });

  it("reads and writes the classic header", () => {
    const packet = decode(Ipv4Packet, classic);
    assert.deepEqual(
      { ...packet, payload: packet.payload.byteLength },
      {
        typeOfService: 0,
        identification: 0,
        dontFragment: true,
        moreFragments: false,
        fragmentOffset: 0,
        ttl: 64,
        protocol: 17,
        source: "192.168.0.1",
        destination: "192.168.0.199",
        options: new Uint8Array(0),
        payload: 95,
      },
    );
    assert.deepEqual(encode(Ipv4Packet, packet), classic);
  });

  it("keeps options and cuts padding behind Total Length", () => {
    const packet = decodeIpv4(concat(withOptions, new Uint8Array(30)));
    assert.equal(toHex(packet.options), "9404000001010100");
    assert.equal(packet.payload.byteLength, 95);
  });

  it("is strict", () => {
    assertStrict("IPv4", (input) => decode(Ipv4Packet, input), classic);
    assertStrict("IPv4 with options", (input) => decode(Ipv4Packet, input), withOptions);
    for (let size = 0; size < classic.byteLength; size++) {
      assert.throws(() => decodeIpv4(classic.slice(0, size)), CodecError);
    }
  });

  it("finds every changed bit of the header", () => {
    for (let bit = 0; bit < 20 * 8; bit++) {
      const bad = classic.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      assert.throws(() => decodeIpv4(bad), CodecError, `bit ${bit}`);
    }
  });

  it("refuses a wrong version, a short header, the reserved bit and a total length inside the header", () => {
    const repaired = (at: number, value: number) => {
      const bad = classic.slice();
      bad[at] = value;
      bad.fill(0, 10, 12);
      const sum = internetChecksum(bad.subarray(0, 20));
      bad.set([sum >> 8, sum & 0xff], 10);
      return bad;
    };
    const pathOf = (input: Uint8Array) => {
      try {
        decodeIpv4(input);
        return "accepted";
      } catch (error) {
        assert.ok(error instanceof CodecError);
        return error.path;
      }
    };
    assert.equal(pathOf(repaired(0, 0x65)), "IPv4.ihl");
    assert.equal(pathOf(repaired(0, 0x44)), "IPv4.ihl");
    assert.equal(pathOf(repaired(6, 0xc0)), "IPv4.fragment");
    assert.equal(pathOf(repaired(3, 19)), "IPv4.totalLength");
    assert.equal(pathOf(repaired(3, 0x74)), "IPv4.totalLength");
    assert.equal(pathOf(repaired(8, 1)), "accepted");
  });

  it("gives back what it wrote", () => {
    const packets = fc.record(
      {
        typeOfService: u8,
        identification: u16,
        dontFragment: fc.boolean(),
        moreFragments: fc.boolean(),
        fragmentOffset: fc.integer({ min: 0, max: 0x1fff }),
        ttl: u8,
        protocol: u8,
        source: anyAddress,
        destination: anyAddress,
        options: fc
          .integer({ min: 0, max: 10 })
          .chain((words) => bytes({ minLength: words * 4, maxLength: words * 4 })),
        payload: bytes({ maxLength: 200 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(packets, (packet) => {
        assert.deepEqual(decode(Ipv4Packet, encode(Ipv4Packet, packet)), packet);
      }),
    );
    const [good] = fc.sample(packets, 1);
    assert.ok(good);
    for (const size of [3, 44]) {
      assert.throws(() => encode(Ipv4Packet, { ...good, options: new Uint8Array(size) }), RangeError);
    }
  });

  it("survives anything", () => {
    fuzzDecoder("IPv4", decodeIpv4, [classic, withOptions]);
  });
});

describe("ICMP", () => {
  // Checksum computed apart from this code.
  const request = hex("0800bc03 1234 0001 6162636465");
  const echo = { type: IcmpType.EchoRequest, identifier: 0x1234, sequence: 1, data: hex("6162636465") } as const;

  it("reads and writes an echo request", () => {
    assert.deepEqual(decode(IcmpMessage, request), echo);
    assert.deepEqual(encode(IcmpMessage, echo), request);
  });

  it("reads and writes destination unreachable", () => {
    const message = { type: IcmpType.DestinationUnreachable, code: 3, unused: 0, original: hex("4500") } as const;
    const encoded = encode(IcmpMessage, message);
    assert.equal(toHex(encoded), "0303b7fc000000004500");
    assert.deepEqual(decode(IcmpMessage, encoded), message);
  });

  it("finds truncation, changed bits, an echo code and unknown types", () => {
    for (let size = 0; size < request.byteLength; size++) {
      assert.throws(() => decode(IcmpMessage, request.slice(0, size)), CodecError);
    }
    for (let bit = 0; bit < request.byteLength * 8; bit++) {
      const bad = request.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      assert.throws(() => decode(IcmpMessage, bad), CodecError, `bit ${bit}`);
    }
    assert.throws(() => decode(IcmpMessage, hex("0801bc02123400016162636465")), /code/);
    assert.throws(() => decode(IcmpMessage, hex("0d00f2ff00000000")), /type/);
    fuzzDecoder("ICMP", (input) => decode(IcmpMessage, input), [request, hex("0303b7fc000000004500")]);
  });

  it("gives back what it wrote", () => {
    fc.assert(
      fc.property(
        u16,
        u16,
        bytes({ maxLength: 100 }),
        fc.constantFrom(0 as const, 8 as const),
        (identifier, sequence, data, type) => {
          const message = { type, identifier, sequence, data };
          assert.deepEqual(decode(IcmpMessage, encode(IcmpMessage, message)), message);
        },
      ),
    );
  });
});

describe("UDP", () => {
  const from = "169.254.0.8";
  const to = "169.254.0.1";
  // Checksum computed apart from this code.
  const wire = hex("c000 1633 000b 4c35 686921");
  const datagram = { sourcePort: 49_152, destinationPort: 5_683, payload: hex("686921") };

  it("reads and writes with the pseudo header", () => {
    assert.deepEqual(decodeUdp(wire, from, to), datagram);
    assert.deepEqual(encodeUdp(datagram, from, to), wire);
  });

  it("finds every changed bit but those that say that there is no checksum, and a changed address", () => {
    for (let bit = 0; bit < wire.byteLength * 8; bit++) {
      const bad = wire.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      assert.throws(() => decodeUdp(bad, from, to), CodecError, `bit ${bit}`);
    }
    assert.throws(() => decodeUdp(wire, from, "169.254.0.2"), /checksum/);
  });

  it("takes checksum 0 as none", () => {
    assert.deepEqual(decodeUdp(hex("c0001633000b0000686921"), from, to), datagram);
  });

  it("sends a computed zero as ffff", () => {
    // A payload whose sum comes to zero, searched apart from this code.
    const zero = { sourcePort: 1, destinationPort: 2, payload: hex("ebd4") };
    const encoded = encodeUdp(zero, "10.0.0.1", "10.0.0.2");
    assert.equal(toHex(encoded), "00010002000affffebd4");
    assert.deepEqual(decodeUdp(encoded, "10.0.0.1", "10.0.0.2"), zero);
  });

  it("refuses truncation and a length under the header, and cuts what is behind Length", () => {
    for (let size = 0; size < wire.byteLength; size++) {
      assert.throws(() => decodeUdp(wire.slice(0, size), from, to), CodecError);
    }
    assert.throws(() => decodeUdp(hex("c000163300070000686921"), from, to), /length/);
    assert.deepEqual(decodeUdp(concat(wire, hex("0102")), from, to), datagram);
  });

  it("gives back what it wrote and survives anything", () => {
    fc.assert(
      fc.property(
        u16,
        u16,
        bytes({ maxLength: 100 }),
        anyAddress,
        anyAddress,
        (sourcePort, destinationPort, payload, a, b) => {
          const value = { sourcePort, destinationPort, payload };
          assert.deepEqual(decodeUdp(encodeUdp(value, a, b), a, b), value);
        },
      ),
    );
    fuzzDecoder("UDP", (input) => decodeUdp(input, from, to), [wire]);
  });
});

describe("MAC address", () => {
  it("is carried as it is", () => {
    fc.assert(
      fc.property(anyMac, anyMac, (destination, source) => {
        const frame = { destination, source, etherType: 0x0800, payload: new Uint8Array(0) };
        assert.deepEqual(decode(EthernetFrame, encode(EthernetFrame, frame)), frame);
      }),
    );
  });
});
