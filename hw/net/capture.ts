import { encode } from "../../shared/bytes/index.ts";
import { type EemPacket, EemReceiver } from "../../shared/eem/index.ts";
import { encodeUdp, IpProtocol, Ipv4Packet } from "../../shared/net/index.ts";
import type { Calendar, Clock, DatagramPort, FrameLink, Peer } from "../../shared/ports/index.ts";
import type { UsbDevice } from "../../shared/usb/index.ts";
import { enhancedPacket, interfaceDescription, interfaceStatistics, LinkType, sectionHeader } from "./pcapng.ts";
import { sayBulk, sayControl } from "./usb-words.ts";

export interface CaptureOptions {
  readonly clock: Clock;
  /** Asked once: timestamps go on from there by the clock. */
  readonly calendar: Calendar;
  /** The program that captures, as the file names it. */
  readonly application?: string;
}

/** `in` is towards the token. */
export type Direction = "in" | "out";

/** One interface of the capture. */
export interface CaptureInterface {
  packet(direction: Direction, bytes: Uint8Array): void;
  /** Stands with the next packet, or with the end of the capture. */
  comment(text: string): void;
}

/** What goes over links, as a pcapng file. What is wrapped works as before; the token's end of it is meant. */
export interface Capture {
  ethernet(name: string, description: string): CaptureInterface;
  wrapLink(link: FrameLink, name: string): FrameLink;
  /** Ethernet frames as they stand in the EEM packets, with all transfers as comments. */
  wrapUsb(device: UsbDevice, name: string): UsbDevice;
  /** Datagrams of a socket. It knows no headers: those of IP and UDP are made up from addresses and ports. */
  wrapPort(port: DatagramPort, name: string): DatagramPort;
  /** Writes what stands open. What goes over the links after that is not captured. */
  close(): void;
}

/** Of one packet; what happened beyond that is counted. */
const MAX_COMMENTS = 32;
const NS_PER_MS = 1_000_000;
const TTL = 64;

/** `write` gets whole blocks, in order, and must not throw. */
export function createCapture(write: (bytes: Uint8Array) => void, options: CaptureOptions): Capture {
  const { clock, calendar, application = "fobnail" } = options;
  const beginMs = Math.round(calendar.today());
  const beginAt = clock.now();
  const now = () => BigInt(beginMs) * BigInt(NS_PER_MS) + BigInt(Math.round((clock.now() - beginAt) * NS_PER_MS));
  const ends: (() => void)[] = [];
  let open = true;
  let interfaces = 0;

  const addInterface = (linkType: number, name: string, description: string): CaptureInterface => {
    const number = interfaces++;
    if (open) write(interfaceDescription(linkType, name, description));
    let comments: string[] = [];
    let uncounted = 0;
    const taken = () => {
      const all = uncounted === 0 ? comments : [...comments, `and ${uncounted} more`];
      comments = [];
      uncounted = 0;
      return all;
    };
    ends.push(() => {
      const left = taken();
      if (left.length > 0) write(interfaceStatistics(number, now(), left));
    });
    return {
      packet(direction, bytes) {
        if (open) write(enhancedPacket(bytes, { interface: number, timestamp: now(), direction, comments: taken() }));
      },
      comment(text) {
        if (comments.length < MAX_COMMENTS) comments.push(text);
        else uncounted += 1;
      },
    };
  };
  const ethernet = (name: string, description: string) => addInterface(LinkType.Ethernet, name, description);

  write(sectionHeader(application));
  return {
    ethernet,
    wrapLink: (link, name) => captureLink(link, ethernet(name, "Ethernet frames of the token")),
    wrapUsb: (device, name) => captureUsb(device, ethernet(name, "Ethernet frames of the token, out of its USB transfers")), // biome-ignore format: as its neighbours
    wrapPort: (port, name) => {
      const about = "UDP datagrams of the token's socket; their IP and UDP headers are made up";
      return capturePort(port, addInterface(LinkType.Raw, name, about));
    },
    close() {
      if (!open) return;
      for (const end of ends) end();
      open = false;
    },
  };
}

function captureLink(link: FrameLink, to: CaptureInterface): FrameLink {
  let open = true;
  link.onFrame((frame) => to.packet("in", frame)); // first, so that what it causes stands behind it
  return {
    mtu: link.mtu,
    send(frame) {
      if (open) to.packet("out", frame);
      link.send(frame);
    },
    onFrame: (listener) => link.onFrame(listener),
    close() {
      open = false;
      return link.close();
    },
  };
}

function captureUsb(device: UsbDevice, to: CaptureInterface): UsbDevice {
  const { wMaxPacketSize: usbPacketBytes } = device.descriptors.configuration.interfaces[0]?.endpoints[0] ?? {};
  const receivers = {
    in: new EemReceiver(usbPacketBytes === undefined ? {} : { usbPacketBytes }),
    out: new EemReceiver(usbPacketBytes === undefined ? {} : { usbPacketBytes }),
  };
  const eem = (direction: Direction, chunk: Uint8Array) => {
    const { counters } = receivers[direction];
    const wrongBefore = counters.malformed + counters.wrongCrc + counters.abandoned;
    for (const packet of receivers[direction].feed(chunk)) {
      if (packet.kind === "data") to.packet(direction, packet.frame);
      else to.comment(sayEem(packet));
    }
    if (counters.malformed + counters.wrongCrc + counters.abandoned > wrongBefore) to.comment("no EEM packet, or a damaged one"); // biome-ignore format: one sentence
  };
  const inOrder = orderKeeper();
  return {
    descriptors: device.descriptors,
    control(setup, out) {
      return inOrder(
        () => device.control(setup, out),
        (answer) => to.comment(sayControl(setup, answer)),
      );
    },
    bulkOut(ep, data) {
      return inOrder(
        () => device.bulkOut(ep, data),
        (answer) => {
          if (answer === "nak") return; // it is offered again
          to.comment(sayBulk("OUT", ep, answer === "stall" ? answer : data.byteLength));
          if (answer === "ack") eem("in", data);
        },
      );
    },
    bulkIn(ep, max) {
      return inOrder(
        () => device.bulkIn(ep, max),
        (answer) => {
          if (answer === "nak") return;
          to.comment(sayBulk("IN", ep, answer === "stall" ? answer : answer.byteLength));
          if (answer !== "stall") eem("out", answer);
        },
      );
    },
    onInReady: (listener) => device.onInReady(listener),
    busReset() {
      inOrder(
        () => device.busReset(),
        () => {
          to.comment("USB bus reset");
          for (const receiver of Object.values(receivers)) receiver.reset();
        },
      );
    },
    suspend() {
      to.comment("USB suspend");
      device.suspend();
    },
    resume() {
      to.comment("USB resume");
      device.resume();
    },
  };
}

/**
 * Runs a call and then tells of it. The device may make its bus ask for answers within that call: those are told of after it,
 * because on the bus they come after it.
 */
function orderKeeper(): <T>(call: () => T, tell: (answer: T) => void) => T {
  let depth = 0;
  let waiting: (() => void)[] = [];
  return (call, tell) => {
    const place = waiting.length;
    depth += 1;
    try {
      const answer = call();
      waiting.splice(place, 0, () => tell(answer));
      return answer;
    } finally {
      depth -= 1;
      if (depth === 0) {
        const all = waiting;
        waiting = [];
        for (const one of all) one();
      }
    }
  };
}

function sayEem(packet: Exclude<EemPacket, { readonly kind: "data" }>): string {
  if (packet.kind === "command") return `EEM command ${packet.command}, parameter ${packet.parameter}`;
  return packet.kind === "zero-length"
    ? "EEM packet of zero length"
    : `EEM ${packet.kind}, ${packet.data.byteLength} bytes`;
}

function capturePort(port: DatagramPort, to: CaptureInterface): DatagramPort {
  let open = true;
  let identification = 0;
  const record = (direction: Direction, payload: Uint8Array, from: Peer, towards: Peer) => {
    identification = (identification + 1) & 0xffff;
    const [source, destination] = [from.address, towards.address];
    const datagram = { sourcePort: from.port, destinationPort: towards.port, payload };
    const packet = {
      typeOfService: 0,
      identification,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: TTL,
      protocol: IpProtocol.Udp,
      source,
      destination,
      options: new Uint8Array(0),
      payload: encodeUdp(datagram, source, destination),
    };
    to.packet(direction, encode(Ipv4Packet, packet));
  };
  port.onDatagram((datagram, from) => record("in", datagram, from, port.local));
  return {
    local: port.local,
    send(datagram, towards) {
      if (open) record("out", datagram, port.local, towards);
      port.send(datagram, towards);
    },
    onDatagram: (listener) => port.onDatagram(listener),
    close() {
      open = false;
      return port.close();
    },
  };
}
