import { type Codec, encode, flags, inField, mapped, Reader, rest, struct, u8, u16be } from "../bytes/index.ts";
import { Ipv4Address } from "./address.ts";
import { internetChecksum, WRONG_CHECKSUM } from "./checksum.ts";

export const IpProtocol = { Icmp: 1, Udp: 17 } as const;

/** Without options. */
export const IPV4_HEADER_BYTES = 20;
const WORD_BYTES = 4;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

export interface Ipv4Packet {
  readonly typeOfService: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  /** As received, a multiple of four bytes, 40 at most. We never look inside: none concerns a host that is its packet's last hop. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** Version 4 and at least the five words of a header (RFC 791, 3.1). */
const VersionAndIhl = mapped(
  u8,
  (value) => (value >> 4 === 4 && (value & 0x0f) >= 5 ? value & 0x0f : undefined),
  (ihl) => 0x40 | ihl,
);

/** RFC 791, 3.1. The first fragment bit is reserved and must be zero. */
const Ipv4Header = struct("IPv4", {
  ihl: VersionAndIhl,
  typeOfService: u8,
  totalLength: u16be,
  identification: u16be,
  fragment: flags(u16be, DONT_FRAGMENT | MORE_FRAGMENTS | FRAGMENT_OFFSET),
  ttl: u8,
  protocol: u8,
  headerChecksum: u16be,
  source: Ipv4Address,
  destination: Ipv4Address,
  options: rest,
});

function readPacket(from: Reader): Ipv4Packet {
  const offset = from.offset;
  const headerBytes = Math.max(IPV4_HEADER_BYTES, ((from.peek() ?? 0) & 0x0f) * WORD_BYTES);
  const raw = inField("IPv4", () => from.bytes(headerBytes));
  const { fragment, totalLength, ...header } = Ipv4Header.read(new Reader(raw, offset));
  if (internetChecksum(raw) !== 0) inField("IPv4.headerChecksum", () => from.fail(WRONG_CHECKSUM));
  const payload = inField("IPv4.totalLength", () =>
    totalLength < headerBytes
      ? from.fail(`${totalLength} is less than the header of ${headerBytes}`)
      : from.bytes(totalLength - headerBytes),
  );
  return {
    typeOfService: header.typeOfService,
    identification: header.identification,
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffset: fragment & FRAGMENT_OFFSET,
    ttl: header.ttl,
    protocol: header.protocol,
    source: header.source,
    destination: header.destination,
    options: header.options,
    payload,
  };
}

function encodeHeader(packet: Ipv4Packet): Uint8Array {
  const { options, payload, dontFragment, moreFragments, fragmentOffset } = packet;
  if (options.byteLength % WORD_BYTES !== 0 || options.byteLength > 40) {
    throw new RangeError(`${options.byteLength} bytes of IPv4 options`);
  }
  const headerBytes = IPV4_HEADER_BYTES + options.byteLength;
  const header = {
    ...packet,
    ihl: headerBytes / WORD_BYTES,
    totalLength: headerBytes + payload.byteLength,
    fragment: (dontFragment ? DONT_FRAGMENT : 0) | (moreFragments ? MORE_FRAGMENTS : 0) | fragmentOffset,
    headerChecksum: 0,
  };
  return encode(Ipv4Header, { ...header, headerChecksum: internetChecksum(encode(Ipv4Header, header)) });
}

/** A packet with its lengths and checksum. Reading stops at Total Length. */
export const Ipv4Packet: Codec<Ipv4Packet> = {
  read: readPacket,
  write: (to, packet) => {
    to.bytes(encodeHeader(packet)).bytes(packet.payload);
  },
};

/** The packet at the head of a frame's payload; what follows Total Length is Ethernet padding (RFC 894). */
export function decodeIpv4(payload: Uint8Array): Ipv4Packet {
  return Ipv4Packet.read(new Reader(payload));
}
