import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createMemoryLinkPair } from "../../../hw/net/memory.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { createHost, EthernetFrame, EtherType, encodeUdp, IpProtocol, Ipv4Packet } from "../../../shared/net/index.ts";
import { TOKEN_ADDRESS, TOKEN_MAC } from "../../../token/token.ts";
import { hex } from "../decoder.ts";
import { receiver } from "./receiver.ts";

export const COMPUTER = { mac: hex("6ec4019e0f2c"), address: "169.254.0.8" };

const udp = { sourcePort: 7, destinationPort: 5683, payload: hex("010203") };
const packet = {
  typeOfService: 0,
  identification: 0,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: IpProtocol.Udp,
  source: COMPUTER.address,
  destination: TOKEN_ADDRESS,
  options: new Uint8Array(0),
  payload: encodeUdp(udp, COMPUTER.address, TOKEN_ADDRESS),
};
const frame = (etherType: number, payload: Uint8Array) =>
  encode(EthernetFrame, { destination: TOKEN_MAC, source: COMPUTER.mac, etherType, payload });
const good = frame(EtherType.Ipv4, encode(Ipv4Packet, packet));
const arp = frame(EtherType.Arp, hex("0001 0800 06 04 0001 6ec4019e0f2c a9fe0008 000000000000 a9fe0001"));
const ping = { ...packet, protocol: IpProtocol.Icmp, payload: hex("0800bc03 1234 0001 6162636465") };
const seeds = [good, arp, frame(EtherType.Ipv4, encode(Ipv4Packet, ping))];

/** Taken is what is answered or delivered; a host receives the next datagram. */
export const ipHost = receiver("IP host", seeds, () => {
  const clock = new VirtualClock();
  const [link, wire] = createMemoryLinkPair();
  const host = createHost({ link, clock, mac: TOKEN_MAC, address: TOKEN_ADDRESS });
  let received: Uint8Array | undefined;
  let heard = 0;
  wire.onFrame(() => heard++);
  host.udp(5683).onDatagram((datagram) => {
    received = datagram;
    heard++;
  });
  return {
    take(input) {
      heard = 0;
      wire.send(input);
      return heard > 0;
    },
    end() {
      received = undefined;
      wire.send(good);
      assert.deepEqual(received, udp.payload);
    },
  };
});
