import { constant, type Infer, oneOf, Reader, struct, u8, u16be } from "../bytes/index.ts";
import { Ipv4Address, MacAddress } from "./address.ts";
import { EtherType } from "./ethernet.ts";

export const ArpOperation = { Request: 1, Reply: 2 } as const;

/** RFC 826, for Ethernet (hardware type 1) and IPv4; everything else is refused. */
export const ArpPacket = struct("ARP", {
  hardwareType: constant(u16be, 1),
  protocolType: constant(u16be, EtherType.Ipv4),
  hardwareLength: constant(u8, 6),
  protocolLength: constant(u8, 4),
  operation: oneOf(u16be, [ArpOperation.Request, ArpOperation.Reply]),
  senderMac: MacAddress,
  senderAddress: Ipv4Address,
  targetMac: MacAddress,
  targetAddress: Ipv4Address,
});
export type ArpPacket = Infer<typeof ArpPacket>;

/** An ARP packet at the head of a frame's payload; what follows is Ethernet padding. */
export function decodeArp(payload: Uint8Array): ArpPacket {
  return ArpPacket.read(new Reader(payload));
}

/** The fields that never change. */
export function arpPacket(
  fields: Pick<ArpPacket, "operation" | "senderMac" | "senderAddress" | "targetMac" | "targetAddress">,
): ArpPacket {
  return { hardwareType: 1, protocolType: EtherType.Ipv4, hardwareLength: 6, protocolLength: 4, ...fields };
}
