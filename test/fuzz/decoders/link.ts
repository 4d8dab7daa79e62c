/** Decoders of what comes over the link: USB, EEM, Ethernet to UDP, CoAP. */
import {
  concat,
  crc32,
  encode,
  fixed,
  flags,
  framed,
  list,
  mapped,
  oneOf,
  Reader,
  rest,
  sized,
  struct,
  tagged,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
} from "../../../shared/bytes/index.ts";
import { readBlock } from "../../../shared/coap/block-option.ts";
import {
  decodeMessage,
  encodeMessage,
  Message,
  OptionNumber,
  optionUint,
  textValue,
  uintBytes,
  uintValue,
} from "../../../shared/coap/index.ts";
import { EemPacket, packetBytes } from "../../../shared/eem/packet.ts";
import { internetChecksum } from "../../../shared/net/checksum.ts";
import * as net from "../../../shared/net/index.ts";
import * as usb from "../../../shared/usb/index.ts";
import { both, type Decoder, hex, ofCodec, ofFunction, ofValues, refusing } from "../decoder.ts";

const inner = struct("inner", { a: flags(u16le, 0x0fff), b: oneOf(u8, [1, 2, 3]), c: mapped(u8, (n) => n * 2, (n) => n / 2) }); // biome-ignore format: one line
const combinators = struct("outer", {
  kind: tagged("kind", "tag", u8, { 1: { n: u32be, m: u64le }, 2: { s: sized(u8, 4, 1) }, 3: {} }),
  items: list(u8, inner, 3), // biome-ignore format: as above
  body: framed(u16be, struct("body", { x: u32le, y: u64be, z: fixed(3), all: rest }), 64),
});
const item = { a: 0x0123, b: 2, c: 4 } as const;
const body = { x: 7, y: 8n, z: hex("010203"), all: hex("0405") };

/** `sum` over the part from `from` to `to` is written at `at`. */
function withInternetChecksum(input: Uint8Array, at: number, to: number): Uint8Array {
  if (input.byteLength < at + 2) return input;
  const mended = input.slice();
  mended.fill(0, at, at + 2);
  mended.set(encode(u16be, internetChecksum(mended.subarray(0, to))), at);
  return mended;
}

function withUdpChecksum(input: Uint8Array): Uint8Array {
  if (input.byteLength < 8) return input;
  const mended = input.slice();
  mended.fill(0, 6, 8); // none was made
  return mended;
}

/** A data packet with a real CRC where there is room for one. */
function withEemCrc(input: Uint8Array): Uint8Array {
  if (input.byteLength < 6 || input.byteLength > 1524) return input;
  const frame = input.subarray(2, -4);
  return concat(encode(u16le, 0x4000 | (frame.byteLength + 4)), frame, encode(u32le, crc32(frame)));
}

const [FROM, TO] = ["169.254.0.1", "169.254.0.8"];
const ipv4: net.Ipv4Packet = {
  typeOfService: 0,
  identification: 7,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: net.IpProtocol.Udp,
  source: FROM,
  destination: TO,
  options: new Uint8Array(0),
  payload: hex("0102030405"),
};
const arp = hex("0001 0800 06 04 0001 6ec4019e0f2c a9fe0008 000000000000 a9fe0001");
const echo = hex("0800bc03 1234 0001 6162636465");
const datagram = { sourcePort: 5683, destinationPort: 49152, payload: hex("60457d34ff3232") };
const PADDED = "what lies behind is padding of the Ethernet frame";
const PAYLOAD = "everything behind the header is payload";
const SUMS = "the checksum 0, none, is read, too; all ones are written for it";

const messages = [
  "40 01 7d34 bb 74656d7065726174757265",
  "60 45 7d34 ff 32322e332043",
  "41 01 7d35 20 bb 74656d7065726174757265",
  "60 00 7d38",
  "48 02 0001 0102030405060708 b3 617069 02 7631 11 3c d1 02 06 e1 0019 ff ff 01",
].map(hex);
const [EMPTY_CODE, OPTIONS] = [
  "its prefix is a message with fewer options",
  "a byte more is another option, or payload",
];

/** The options' values as those read them who handle a message. */
function blocks(input: Uint8Array): unknown {
  const { options } = decodeMessage(input);
  const read = [OptionNumber.Block1, OptionNumber.Block2].map((number) => readBlock(options, number));
  return refusing(() => (read.includes("malformed") ? undefined : read))(input);
}

const CONFIGURATION = "09 02 2000 01 01 00 80 32  09 04 00 00 02 02 0c 07 04  07 05 81 02 4000 00  07 05 01 02 4000 00";

export const linkDecoders: readonly Decoder[] = [
  ofValues("bytes: every combinator", combinators, [
    { kind: { tag: 1, n: 5, m: 6n }, items: [item, item], body },
    { kind: { tag: 2, s: hex("0a0b") }, items: [], body },
    { kind: { tag: 3 }, items: [item], body },
  ]),
  ofValues("USB setup packet", usb.SetupPacket, [
    { bmRequestType: 0x80, bRequest: 6, wValue: 0x0100, wIndex: 0, wLength: 64 },
  ]),
  ofCodec("USB device descriptor", usb.DeviceDescriptor, [hex("12 01 0002 00 00 00 40 3412 2143 0001 01 02 03 01")]),
  ofCodec("USB configuration descriptor", usb.ConfigurationDescriptor, [hex(CONFIGURATION).slice(0, 9)]),
  ofCodec("USB endpoint descriptor", usb.EndpointDescriptor, [hex("07 05 81 02 4000 00")]),
  ofCodec("USB configuration", usb.UsbConfiguration, [hex(CONFIGURATION)]),
  ofCodec("USB languages", usb.LanguagesDescriptor, [hex("04030904")]),
  ofCodec("USB string", usb.StringDescriptor, [hex("0803 46006f006200"), hex("0203")]),
  ofCodec(
    "EEM packet",
    EemPacket,
    [
      "0d40 313233343536373839 2639f4cb",
      "0d00 313233343536373839 deadbeef",
      "0400 deadbeef",
      "0380 616263",
      "0388 616263",
      "00a8",
      "ffbf",
      "0000",
    ].map(hex),
    { mend: withEemCrc },
  ),
  ofFunction(
    "EEM packet size",
    refusing((input) => packetBytes(new Reader(input))),
    [hex("0d40 31")],
    {
      prefix: "only the head is looked at",
      trailing: "only the head is looked at",
    },
  ),
  ofValues(
    "Ethernet frame",
    net.EthernetFrame,
    [{ destination: hex("6ec4019e0f2c"), source: hex("001122334455"), etherType: 0x0800, payload: hex("4500") }],
    { prefix: PAYLOAD, trailing: PAYLOAD },
  ),
  ofCodec("MAC address", net.MacAddress, [hex("001122334455")]),
  ofCodec("IPv4 address", net.Ipv4Address, [hex("a9fe0001")]),
  ofCodec("ARP packet", net.ArpPacket, [arp]),
  ofFunction("ARP in a frame", net.decodeArp, [arp], { trailing: PADDED }),
  ofValues("IPv4 packet", net.Ipv4Packet, [ipv4, { ...ipv4, options: hex("94040000") }], {
    mend: (input) => withInternetChecksum(input, 10, Math.max(20, ((input[0] ?? 0) & 0x0f) * 4)),
    loose: "a checksum of all ones is read where 0 is written: both are zero in ones' complement (RFC 1071)",
  }),
  ofFunction("IPv4 in a frame", net.decodeIpv4, [encode(net.Ipv4Packet, ipv4)], { trailing: PADDED }),
  ofCodec("ICMP message", net.IcmpMessage, [echo, hex("0303b7fc000000004500")], {
    mend: (input) => withInternetChecksum(input, 2, input.byteLength),
    prefix: "data of zeros does not change the checksum",
    trailing: "data of zeros does not change the checksum",
    loose: "the checksums 0000 and ffff are the same number",
  }),
  both(
    "UDP datagram",
    (input) => net.decodeUdp(input, FROM, TO),
    (value) => net.encodeUdp(value, FROM, TO),
    [net.encodeUdp(datagram, FROM, TO)],
    { mend: withUdpChecksum, trailing: "options behind Length are cut (RFC 9868)", loose: SUMS },
  ),
  ofCodec("CoAP message", Message, messages, { prefix: EMPTY_CODE, trailing: OPTIONS }),
  both("CoAP datagram", decodeMessage, encodeMessage, messages, { prefix: EMPTY_CODE, trailing: OPTIONS }),
  ofFunction("CoAP blocks", blocks, [hex("40 01 0001 d1 0a 06 41 0e"), hex("40 01 0001 d2 0a 1236")], {
    prefix: EMPTY_CODE,
    trailing: OPTIONS,
  }),
  ofFunction(
    "CoAP uint option",
    refusing((input) => optionUint([{ number: OptionNumber.Size1, value: input }], OptionNumber.Size1)),
    [hex(""), hex("0000003c"), hex("ffffffff")],
    { prefix: "a shorter number", trailing: "a longer number" },
  ),
  both("CoAP uint", refusing(uintValue), uintBytes, [hex(""), hex("3c"), hex("ffffffff")], {
    prefix: "a shorter number",
    trailing: "a longer number",
    loose: "leading zeros are borne (RFC 7252, 3.2)",
  }),
  both("CoAP string option", refusing(textValue), (text) => new TextEncoder().encode(text), [hex("c485c487")], {
    prefix: "a shorter text",
    trailing: "a longer text",
  }),
];
