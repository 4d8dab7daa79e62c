/** Decoders of capture files: the tests read with them what Wireshark reads. */
import {
  enhancedPacket,
  interfaceDescription,
  interfaceStatistics,
  LinkType,
  PcapngBlock,
  sectionHeader,
} from "../../../hw/net/pcapng.ts";
import { type Decoder, hex, ofCodec } from "../decoder.ts";

const packet = { interface: 0, timestamp: 1_577_836_800_000_000_123n, direction: "in" } as const;

export const captureDecoders: readonly Decoder[] = [
  ofCodec("pcapng block", PcapngBlock, [
    sectionHeader("fobnail"),
    interfaceDescription(LinkType.Ethernet, "stick", "frames"),
    enhancedPacket(hex("001122334455 6ec4019e0f2c 0806 00"), { ...packet, comments: [] }),
    enhancedPacket(hex("45"), { ...packet, direction: "out", comments: ["USB bus reset", "one", "more"] }),
    interfaceStatistics(0, 0n, ["the end"]),
    hex("05000000 18000000 00000000 00000000 00000000 18000000"),
  ]),
];
