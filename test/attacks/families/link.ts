/** LK: what no honest host puts on the stick's link: EEM packets, frames and IP packets, written out. */
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { concat, decode, encode, equal, u16le, utf8 } from "../../../shared/bytes/index.ts";
import { EemPacket } from "../../../shared/eem/index.ts";
import {
  ArpOperation,
  ArpPacket,
  arpPacket,
  BROADCAST_MAC,
  EthernetFrame,
  EtherType,
  IcmpMessage,
  IcmpType,
  IpProtocol,
  Ipv4Packet,
} from "../../../shared/net/index.ts";
import { Request } from "../../../shared/usb/index.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { createToken, TOKEN_ADDRESS, TOKEN_MAC } from "../../../token/token.ts";
import { EEM_IN, EEM_OUT } from "../../../token/usb/index.ts";
import { withByte } from "../../conformance/platform.ts";
import { seededRandom } from "../../support/random.ts";
import type { Attack } from "../attack.ts";

const COMPUTER = { mac: Uint8Array.of(2, 0, 0, 0, 0, 8), address: "169.254.0.8" };
/** Another card on the link, where there can be one: behind a bridge. */
const THIEF_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x66);
const TRANSFER_BYTES = 1_524;
const NONE = new Uint8Array();

type Transfer = (bytes: Uint8Array) => string;

/** A configured stick that knows the computer's address; a transfer gives what the stick sends after it. */
function openLink(): Transfer {
  const token = createToken(
    {
      clock: new VirtualClock(),
      random: seededRandom(1, "attacked link"),
      flash: createRamFlash(),
      leds: { show: () => undefined },
      log: { write: () => undefined },
      button: { onChange: () => () => undefined },
    },
    { api: "v1", profile: STRICT },
  );
  const { usb } = token;
  usb.control({ bmRequestType: 0, bRequest: Request.SetConfiguration, wValue: 1, wIndex: 0, wLength: 0 }, NONE);
  const transfer: Transfer = (bytes) => {
    const taken = usb.bulkOut(EEM_OUT, bytes);
    if (taken !== "ack") return taken;
    const answer = usb.bulkIn(EEM_IN, TRANSFER_BYTES);
    return answer instanceof Uint8Array ? answerOf(answer) : "silence";
  };
  transfer(claim(COMPUTER.address, COMPUTER.mac, TOKEN_ADDRESS));
  return transfer;
}

/** An ARP request that says who has `address`. */
function claim(address: string, mac: Uint8Array, targetAddress: string): Uint8Array {
  const sender = { senderMac: mac, senderAddress: address };
  const target = { targetMac: new Uint8Array(6), targetAddress };
  const asked = encode(ArpPacket, arpPacket({ operation: ArpOperation.Request, ...sender, ...target }));
  return packet(frame(EtherType.Arp, asked, BROADCAST_MAC));
}

/** "echo reply", or what else the first packet of the transfer is. */
function answerOf(bytes: Uint8Array): string {
  const got = decode(EemPacket, bytes);
  if (got.kind !== "data") return `an EEM packet: ${got.kind}`;
  const { etherType, payload, destination } = decode(EthernetFrame, got.frame);
  if (equal(destination, THIEF_MAC)) return "a frame to the attacker's card";
  if (etherType !== EtherType.Ipv4) return "an ARP packet";
  const ip = decode(Ipv4Packet, payload);
  if (ip.protocol !== IpProtocol.Icmp) return "an IP packet";
  return decode(IcmpMessage, ip.payload).type === IcmpType.EchoReply ? "echo reply" : "an ICMP message";
}

const frame = (etherType: number, payload: Uint8Array, destination: Uint8Array = TOKEN_MAC): Uint8Array =>
  encode(EthernetFrame, { destination, source: COMPUTER.mac, etherType, payload });
const packet = (bytes: Uint8Array): Uint8Array => encode(EemPacket, { kind: "data", crc: "real", frame: bytes });

/** Together longer than any EEM packet. */
const PINGS_OF_A_PACKET = 32;
const ECHO = encode(IcmpMessage, { type: IcmpType.EchoRequest, identifier: 1, sequence: 1, data: utf8("ping") });

/** An echo request as an EEM packet, with something special about its IP header. */
function ping(fields: Partial<Ipv4Packet> = {}, destination?: Uint8Array): Uint8Array {
  const usual: Ipv4Packet = {
    typeOfService: 0,
    identification: 7,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: IpProtocol.Icmp,
    source: COMPUTER.address,
    destination: TOKEN_ADDRESS,
    options: NONE,
    payload: ECHO,
  };
  return packet(frame(EtherType.Ipv4, encode(Ipv4Packet, { ...usual, ...fields }), destination));
}

/** One transfer of the attacker; the control is an honest ping behind it, on the same link, or so many pings of which one is answered. */
function sending(id: string, title: string, bytes: Uint8Array, pings = 1): Attack {
  const attack = async () => openLink()(bytes);
  const control = async () => {
    const transfer = openLink();
    transfer(bytes);
    return Array.from({ length: pings }, () => transfer(ping())).find((answer) => answer !== "silence") ?? "silence";
  };
  return { id, title, expected: "silence", honest: "echo reply", state: "blank", attack, control };
}

/** None of them asks for the token, so none is answered. */
const neighbours = Array.from({ length: 10_000 }, (_, i) =>
  claim(`169.254.${1 + (i >> 8)}.${i & 0xff}`, THIEF_MAC, COMPUTER.address),
);

function lastOf(transfer: Transfer, transfers: readonly Uint8Array[]): string {
  const answers = transfers.map(transfer);
  return answers.find((answer) => answer !== "silence") ?? "silence";
}

/** bmType 1 (command), bmEEMCmd 6: reserved. */
const RESERVED_COMMAND = encode(u16le, 0xb000);

export const linkAttacks: readonly Attack[] = [
  sending(
    "LK-01",
    "send a frame whose CRC is wrong",
    withByte(ping(), -1, (byte) => byte ^ 1),
  ),
  sending(
    "LK-02",
    "announce a frame that is longer than its transfer",
    concat(encode(u16le, 0x4400), utf8("short")),
    PINGS_OF_A_PACKET,
  ),
  sending("LK-03", "send a reserved EEM command, which halts the reference stick", RESERVED_COMMAND),
  sending(
    "LK-04",
    "ping the broadcast address, so that everybody answers",
    ping({ destination: "169.254.255.255" }, BROADCAST_MAC),
  ),
  sending("LK-05", "ping in the token's own name, so that it answers itself", ping({ source: TOKEN_ADDRESS })),
  sending("LK-06", "ping in the name of the broadcast address", ping({ source: "169.254.255.255" })),
  sending("LK-07", "send the first of two fragments, and never the second", ping({ moreFragments: true })),
  sending("LK-08", "send a fragment that would lie over the first one", ping({ fragmentOffset: 1 })),
  sending(
    "LK-09",
    "hide an ICMP message with a wrong checksum",
    ping({ payload: withByte(ECHO, -1, (byte) => byte ^ 1) }),
  ),
  sending(
    "LK-10",
    "say by ARP that the token's address is one's own, so that it gives its address up",
    claim(TOKEN_ADDRESS, THIEF_MAC, TOKEN_ADDRESS),
  ),
  {
    id: "LK-11",
    title: "say by ARP that the computer's address is one's own (ARP spoofing)",
    expected: "a frame to the attacker's card",
    honest: "echo reply",
    state: "blank",
    async attack() {
      const transfer = openLink();
      transfer(claim(COMPUTER.address, THIEF_MAC, TOKEN_ADDRESS));
      transfer(ping()); // from another card than the one that was told: the token asks again
      return transfer(claim(COMPUTER.address, THIEF_MAC, TOKEN_ADDRESS));
    },
    async control() {
      const transfer = openLink();
      transfer(claim(COMPUTER.address, THIEF_MAC, TOKEN_ADDRESS));
      transfer(claim(COMPUTER.address, COMPUTER.mac, TOKEN_ADDRESS)); // as every computer does that wants to reach the token
      return transfer(ping());
    },
  },
  {
    id: "LK-12",
    title: "tell of 10,000 neighbours by ARP, more than are kept",
    expected: "silence",
    honest: "echo reply",
    state: "blank",
    async attack() {
      return lastOf(openLink(), neighbours);
    },
    async control() {
      const transfer = openLink();
      lastOf(transfer, neighbours);
      transfer(claim(COMPUTER.address, COMPUTER.mac, TOKEN_ADDRESS));
      return transfer(ping());
    },
  },
];
