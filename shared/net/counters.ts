import type { CodecError } from "../bytes/index.ts";
import { WRONG_CHECKSUM } from "./checksum.ts";

/** Why a frame, packet or datagram went no further. */
const DROP_REASONS = [
  "ethernet-malformed",
  "ethernet-address",
  "ethernet-type",
  "arp-malformed",
  "arp-address",
  "arp-conflict",
  "arp-queue-full",
  "arp-unanswered",
  "ipv4-malformed",
  "ipv4-checksum",
  "ipv4-address",
  "ipv4-fragment",
  "ipv4-protocol",
  "ipv4-too-big",
  "icmp-malformed",
  "icmp-checksum",
  "icmp-ignored",
  "icmp-limited",
  "udp-malformed",
  "udp-checksum",
  "udp-broadcast",
  "udp-port-closed",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export type Layer = "ethernet" | "arp" | "ipv4" | "icmp" | "udp";

/** Of what does not decode. */
export function reasonOf(layer: Layer, error: CodecError): DropReason {
  const isChecksum = error.problem === WRONG_CHECKSUM;
  if (isChecksum && (layer === "ipv4" || layer === "icmp" || layer === "udp")) return `${layer}-checksum`;
  return `${layer}-malformed`;
}

export interface HostCounters {
  framesReceived: number;
  framesSent: number;
  datagramsReceived: number;
  datagramsSent: number;
  echoesAnswered: number;
  unreachablesSent: number;
  unreachablesReceived: number;
  readonly dropped: Record<DropReason, number>;
}

export function createCounters(): HostCounters {
  return {
    framesReceived: 0,
    framesSent: 0,
    datagramsReceived: 0,
    datagramsSent: 0,
    echoesAnswered: 0,
    unreachablesSent: 0,
    unreachablesReceived: 0,
    dropped: Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>,
  };
}
