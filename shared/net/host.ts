import { CodecError, decode, encode, equal } from "../bytes/index.ts";
import type { Clock, DatagramPort, FrameLink, Log, Peer } from "../ports/index.ts";
import {
  BROADCAST_MAC,
  directedBroadcast,
  formatMac,
  isUnicastIpv4,
  isUnicastMac,
  LIMITED_BROADCAST,
  parseIpv4,
  UNSPECIFIED,
} from "./address.ts";
import { ArpOperation, type ArpPacket, ArpPacket as ArpPacketCodec, arpPacket, decodeArp } from "./arp.ts";
import { createCounters, type DropReason, type HostCounters, type Layer, reasonOf } from "./counters.ts";
import { EthernetFrame, EtherType } from "./ethernet.ts";
import { IcmpMessage, IcmpType, Unreachable } from "./icmp.ts";
import { decodeIpv4, IPV4_HEADER_BYTES, IpProtocol, Ipv4Packet } from "./ipv4.ts";
import { NEIGHBOUR_LIMITS, type NeighbourLimits, Neighbours } from "./neighbours.ts";
import { type PingResult, Pings } from "./pings.ts";
import { RateLimit } from "./rate-limit.ts";
import { decodeUdp, encodeUdp, UDP_HEADER_BYTES, type UdpDatagram } from "./udp.ts";
import { UdpPorts } from "./udp-ports.ts";

export interface HostOptions {
  readonly link: FrameLink;
  /** Six bytes, a unicast address. */
  readonly mac: Uint8Array;
  /** Dotted. */
  readonly address: string;
  /** Decides only what the directed broadcast address is: there is no router, every address is asked for on the link (RFC 3927, 2.6.2). Default 16. */
  readonly prefixBits?: number;
  readonly clock: Clock;
  readonly log?: Log;
  /** Whether datagrams to everybody are delivered; not where each is answered (RFC 7252, 8.1: none would be confirmable). Default true. */
  readonly hearsBroadcasts?: boolean;
  /** First ephemeral UDP port, default 49152. */
  readonly ephemeralFrom?: number;
  readonly limits?: Partial<NeighbourLimits & { readonly maxPorts: number; readonly icmpErrorsPerSecond: number }>;
}

/** A host with one IPv4 address on one link. What it cannot use it drops and counts; nothing that arrives can make it throw. */
export interface Host {
  readonly address: string;
  readonly mac: Uint8Array;
  readonly counters: HostCounters;
  /** Binds a UDP port, or the next ephemeral one. RangeError when it is taken. */
  udp(port?: number): DatagramPort;
  /** An echo request with `data`; settles in a microtask after the reply, or by the clock. */
  ping(address: string, data?: Uint8Array, timeoutMs?: number): Promise<PingResult>;
  /** How much each table and queue holds at present, by its name. */
  holdings(): Readonly<Record<string, number>>;
  /** Unbinds everything and leaves the link; the link stays open. */
  close(): void;
}

const TTL = 64;
const MAX_PORTS = 64;
const ICMP_ERRORS_PER_SECOND = 10;
/** Of the packet that could not be delivered, behind its header (RFC 792: the first 64 bits). */
const QUOTED_BYTES = 8;

export function createHost(options: HostOptions): Host {
  return new LinkHost(options);
}

class LinkHost implements Host {
  readonly address: string;
  readonly mac: Uint8Array;
  readonly counters: HostCounters = createCounters();
  readonly #link: FrameLink;
  readonly #log: Log | undefined;
  readonly #broadcasts: ReadonlySet<string>;
  readonly #neighbours: Neighbours;
  readonly #ports: UdpPorts;
  readonly #pings: Pings;
  readonly #icmpErrors: RateLimit;
  readonly #leave: () => void;
  readonly #hearsBroadcasts: boolean;
  #identification = 0;

  constructor(options: HostOptions) {
    const { link, mac, address, clock, limits = {} } = options;
    if (mac.byteLength !== 6 || !isUnicastMac(mac)) throw new RangeError(`${formatMac(mac)} is no host's MAC address`);
    if (!isUnicastIpv4(address)) throw new RangeError(`${address} is no host's IPv4 address`);
    this.address = address;
    this.mac = mac.slice();
    this.#link = link;
    this.#log = options.log;
    this.#hearsBroadcasts = options.hearsBroadcasts ?? true;
    this.#broadcasts = new Set([LIMITED_BROADCAST, directedBroadcast(address, options.prefixBits ?? 16)]);
    this.#neighbours = new Neighbours(
      {
        clock,
        request: (target) => this.#sendArp(ArpOperation.Request, BROADCAST_MAC, new Uint8Array(6), target),
        transmit: (to, packet) => this.#sendFrame(to, EtherType.Ipv4, packet),
        dropped: (reason, count) => this.#drop(reason, count),
      },
      { ...NEIGHBOUR_LIMITS, ...limits },
    );
    this.#ports = new UdpPorts({
      address,
      ephemeralFrom: options.ephemeralFrom ?? 49_152,
      maxPorts: limits.maxPorts ?? MAX_PORTS,
      send: (datagram, from, to) => this.#sendUdp(datagram, from, to),
    });
    this.#pings = new Pings(clock, (peer, request) => this.#sendIcmp(peer, request));
    this.#icmpErrors = new RateLimit(clock, limits.icmpErrorsPerSecond ?? ICMP_ERRORS_PER_SECOND);
    this.#leave = link.onFrame((frame) => {
      const reason = this.#receive(frame);
      if (reason !== undefined) this.#drop(reason);
    });
  }

  udp(port?: number): DatagramPort {
    return this.#ports.bind(port);
  }

  ping(address: string, data = new Uint8Array(0), timeoutMs = 1_000): Promise<PingResult> {
    parseIpv4(address);
    return this.#pings.ping(address, data, timeoutMs);
  }

  holdings(): Readonly<Record<string, number>> {
    return this.#neighbours.holdings();
  }

  close(): void {
    this.#leave();
    this.#ports.close();
    this.#pings.close();
    this.#neighbours.close();
  }

  // ---- receiving: each step says why what it got went no further

  #receive(bytes: Uint8Array): DropReason | undefined {
    this.counters.framesReceived += 1;
    const frame = this.#decoded("ethernet", () => decode(EthernetFrame, bytes));
    if (frame === undefined) return undefined;
    const broadcast = equal(frame.destination, BROADCAST_MAC);
    if (!broadcast && !equal(frame.destination, this.mac)) return "ethernet-address";
    if (frame.etherType === EtherType.Arp) return this.#receiveArp(frame.payload);
    if (frame.etherType === EtherType.Ipv4) return this.#receiveIpv4(frame, broadcast);
    return "ethernet-type";
  }

  /** RFC 826, Packet Reception; who is not asked for and does not ask for us is not remembered. */
  #receiveArp(payload: Uint8Array): DropReason | undefined {
    const arp = this.#decoded("arp", () => decodeArp(payload));
    if (arp === undefined) return undefined;
    if (!isUnicastMac(arp.senderMac)) return "arp-address";
    if (arp.senderAddress === this.address) return equal(arp.senderMac, this.mac) ? "arp-address" : "arp-conflict";
    const forUs = arp.targetAddress === this.address;
    // An address probe (RFC 5227, 2.1.1) has no sender address: it is answered, not learnt.
    if (isUnicastIpv4(arp.senderAddress)) this.#neighbours.learn(arp.senderAddress, arp.senderMac, forUs);
    else if (arp.senderAddress !== UNSPECIFIED) return "arp-address";
    if (forUs && arp.operation === ArpOperation.Request) this.#answerArp(arp);
    return undefined;
  }

  #answerArp(request: ArpPacket): void {
    this.#sendArp(ArpOperation.Reply, request.senderMac, request.senderMac, request.senderAddress);
  }

  #receiveIpv4({ source, payload }: EthernetFrame, linkBroadcast: boolean): DropReason | undefined {
    const packet = this.#decoded("ipv4", () => decodeIpv4(payload));
    if (packet === undefined) return undefined;
    const toAll = this.#broadcasts.has(packet.destination);
    // A unicast packet in a broadcast frame is not ours to answer (RFC 1122, 3.3.6).
    if (!toAll && (packet.destination !== this.address || linkBroadcast)) return "ipv4-address";
    if (!isUnicastIpv4(packet.source) || this.#broadcasts.has(packet.source) || packet.source === this.address) {
      return "ipv4-address";
    }
    this.#neighbours.heard(packet.source, source);
    if (packet.moreFragments || packet.fragmentOffset !== 0) return "ipv4-fragment"; // D-72
    if (packet.protocol === IpProtocol.Udp) return this.#receiveUdp(packet, toAll || linkBroadcast);
    if (packet.protocol === IpProtocol.Icmp) return this.#receiveIcmp(packet, toAll || linkBroadcast);
    if (!toAll) this.#sendUnreachable(packet, Unreachable.Protocol);
    return "ipv4-protocol";
  }

  #receiveUdp(packet: Ipv4Packet, toAll: boolean): DropReason | undefined {
    const datagram = this.#decoded("udp", () => decodeUdp(packet.payload, packet.source, packet.destination));
    if (datagram === undefined) return undefined;
    if (toAll && !this.#hearsBroadcasts) return "udp-broadcast";
    const from: Peer = { address: packet.source, port: datagram.sourcePort };
    if (this.#deliver(datagram, from)) return undefined;
    if (!toAll) this.#sendUnreachable(packet, Unreachable.Port);
    return "udp-port-closed";
  }

  #deliver(datagram: UdpDatagram, from: Peer): boolean {
    this.counters.datagramsReceived += 1;
    return this.#ports.deliver(datagram.destinationPort, datagram.payload, from);
  }

  /** Errors are counted and logged, and told no program: D-71. */
  #receiveIcmp(packet: Ipv4Packet, toAll: boolean): DropReason | undefined {
    const message = this.#decoded("icmp", () => decode(IcmpMessage, packet.payload));
    if (message === undefined) return undefined;
    if (message.type === IcmpType.DestinationUnreachable) {
      this.counters.unreachablesReceived += 1;
      this.#log?.write("debug", "destination unreachable", { from: packet.source, code: message.code });
      return undefined;
    }
    if (message.type === IcmpType.EchoReply) {
      return this.#pings.answer(packet.source, message) ? undefined : "icmp-ignored";
    }
    if (toAll) return "icmp-ignored"; // RFC 1122, 3.2.2.6 allows it, and nobody can use us to flood a neighbour
    this.counters.echoesAnswered += 1;
    this.#sendIcmp(packet.source, { ...message, type: IcmpType.EchoReply });
    return undefined;
  }

  // ---- sending

  /** The callers see to RFC 1122, 3.2.2: never about ICMP errors, fragments, broadcasts or senders that are not one host. */
  #sendUnreachable(packet: Ipv4Packet, code: number): void {
    if (!this.#icmpErrors.take()) {
      this.#drop("icmp-limited");
      return;
    }
    const headerBytes = IPV4_HEADER_BYTES + packet.options.byteLength;
    const original = encode(Ipv4Packet, packet).subarray(0, headerBytes + QUOTED_BYTES);
    this.counters.unreachablesSent += 1;
    this.#sendIcmp(packet.source, { type: IcmpType.DestinationUnreachable, code, unused: 0, original });
  }

  #sendIcmp(to: string, message: IcmpMessage): void {
    this.#sendIpv4(to, IpProtocol.Icmp, encode(IcmpMessage, message));
  }

  #sendUdp(payload: Uint8Array, from: Peer, to: Peer): void {
    if (IPV4_HEADER_BYTES + UDP_HEADER_BYTES + payload.byteLength > this.#link.mtu) {
      this.#drop("ipv4-too-big");
      return;
    }
    this.counters.datagramsSent += 1;
    const datagram = { sourcePort: from.port, destinationPort: to.port, payload };
    this.#sendIpv4(to.address, IpProtocol.Udp, encodeUdp(datagram, from.address, to.address));
  }

  /** We never fragment: a packet over the link's MTU is dropped. RangeError when `destination` is not a dotted address. */
  #sendIpv4(destination: string, protocol: number, payload: Uint8Array): void {
    const toAll = this.#broadcasts.has(destination);
    if (!toAll && (!isUnicastIpv4(destination) || destination === this.address)) {
      this.#drop("ipv4-address");
      return;
    }
    if (IPV4_HEADER_BYTES + payload.byteLength > this.#link.mtu) {
      this.#drop("ipv4-too-big");
      return;
    }
    this.#identification = (this.#identification + 1) & 0xffff;
    const packet = encode(Ipv4Packet, {
      typeOfService: 0,
      identification: this.#identification,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: TTL,
      protocol,
      source: this.address,
      destination,
      options: new Uint8Array(0),
      payload,
    });
    if (toAll) this.#sendFrame(BROADCAST_MAC, EtherType.Ipv4, packet);
    else this.#neighbours.send(destination, packet);
  }

  #sendArp(operation: 1 | 2, to: Uint8Array, targetMac: Uint8Array, targetAddress: string): void {
    const arp = arpPacket({ operation, senderMac: this.mac, senderAddress: this.address, targetMac, targetAddress });
    this.#sendFrame(to, EtherType.Arp, encode(ArpPacketCodec, arp));
  }

  #sendFrame(destination: Uint8Array, etherType: number, payload: Uint8Array): void {
    this.counters.framesSent += 1;
    this.#link.send(encode(EthernetFrame, { destination, source: this.mac, etherType, payload }));
  }

  // ---- counting what is dropped

  #drop(reason: DropReason, count = 1): void {
    this.counters.dropped[reason] += count;
    this.#log?.write("debug", `dropped: ${reason}`, { count });
  }

  #decoded<T>(layer: Layer, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#drop(reasonOf(layer, error));
      return undefined;
    }
  }
}
