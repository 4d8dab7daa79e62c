import { concat, encode, inField, Reader, struct, u8, u16be } from "../bytes/index.ts";
import { Ipv4Address } from "./address.ts";
import { internetChecksum, WRONG_CHECKSUM } from "./checksum.ts";
import { IpProtocol } from "./ipv4.ts";

export const UDP_HEADER_BYTES = 8;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** RFC 768. */
const UdpHeader = struct("UDP", { sourcePort: u16be, destinationPort: u16be, length: u16be, checksum: u16be });

/** What the checksum covers in front of the datagram (RFC 768). */
const PseudoHeader = struct("pseudo header", {
  source: Ipv4Address,
  destination: Ipv4Address,
  zero: u8,
  protocol: u8,
  length: u16be,
});

function checksumOf(source: string, destination: string, datagram: Uint8Array): number {
  const pseudo = { source, destination, zero: 0, protocol: IpProtocol.Udp, length: datagram.byteLength };
  return internetChecksum(encode(PseudoHeader, pseudo), datagram);
}

/**
 * The datagram in an IPv4 payload that went from `source` to `destination`. Checksum 0 means that the sender made none. Bytes
 * behind Length are not part of it and are cut: RFC 9868 lets senders put options there.
 */
export function decodeUdp(payload: Uint8Array, source: string, destination: string): UdpDatagram {
  const from = new Reader(payload);
  const header = UdpHeader.read(from);
  const body = inField("UDP.length", () =>
    header.length < UDP_HEADER_BYTES ? from.fail(`${header.length}`) : from.bytes(header.length - UDP_HEADER_BYTES),
  );
  if (header.checksum !== 0 && checksumOf(source, destination, new Reader(payload).bytes(header.length)) !== 0) {
    inField("UDP.checksum", () => from.fail(WRONG_CHECKSUM));
  }
  return { sourcePort: header.sourcePort, destinationPort: header.destinationPort, payload: body };
}

export function encodeUdp(datagram: UdpDatagram, source: string, destination: string): Uint8Array {
  const { sourcePort, destinationPort, payload } = datagram;
  const header = { sourcePort, destinationPort, length: UDP_HEADER_BYTES + payload.byteLength, checksum: 0 };
  const sum = checksumOf(source, destination, concat(encode(UdpHeader, header), payload));
  // A computed zero is sent as all ones, because zero says that there is none.
  return concat(encode(UdpHeader, { ...header, checksum: sum === 0 ? 0xffff : sum }), payload);
}
