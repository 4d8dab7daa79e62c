import { type Infer, rest, struct, u16be } from "../bytes/index.ts";
import { MacAddress } from "./address.ts";

export const EtherType = { Ipv4: 0x0800, Arp: 0x0806 } as const;

/** Destination, source and type in front of the payload. */
export const ETHERNET_HEADER_BYTES = 14;

/**
 * An Ethernet II frame (RFC 894), without preamble and FCS. The payload includes whatever padding the sender added; only the
 * layer above knows where its data ends. We send no padding: the links here are not wires (CDC-EEM has no minimum).
 */
export const EthernetFrame = struct("Ethernet", {
  destination: MacAddress,
  source: MacAddress,
  etherType: u16be,
  payload: rest,
});
export type EthernetFrame = Infer<typeof EthernetFrame>;
