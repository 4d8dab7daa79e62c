import type { FrameLink } from "../ports/index.ts";
import type { EemCrc, EemPacket } from "./packet.ts";
import { EemReceiver, type EemReceiverCounters } from "./receiver.ts";
import { type EemPadding, EemSender } from "./sender.ts";

const MTU = 1_500;
const ETHERNET_HEADER_BYTES = 14;

export interface EemLinkOptions {
  /** What is sent; both are understood. Default `real`. */
  readonly crc?: EemCrc;
  /** Whether several packets may share a transfer. Default true. */
  readonly bundle?: boolean;
  /** Packets waiting to be fetched; beyond that the oldest is lost. Default 64. */
  readonly maxQueued?: number;
  /** See EemSender. */
  readonly padding?: EemPadding;
  /** Bulk packet size of the endpoints, default 64 (full speed). */
  readonly usbPacketBytes?: number;
  /** Chunks are USB packets or whole transfers, as they come (true), or always whole transfers (false, the default). */
  readonly chunked?: boolean;
  /** Told whenever there is something to `take`. */
  onPending(): void;
}

export interface EemLinkCounters extends EemReceiverCounters {
  framesReceived: number;
  framesSent: number;
  /** Frames and echo responses that nobody fetched in time. */
  lost: number;
  /** Frames over the MTU and echoes whose response fits no transfer. */
  tooLong: number;
  /** Frames sent while the other side could not get them. */
  refused: number;
}

/** One end of CDC-EEM between Ethernet frames and bulk transfers: the same for the device and for the host. */
export interface EemLink {
  readonly link: FrameLink;
  readonly counters: Readonly<EemLinkCounters>;
  readonly pending: boolean;
  /** How much each queue holds at present, by its name. */
  holdings(): Readonly<Record<string, number>>;
  /** Handles what came from the bus: frames go to the listeners, echoes are answered. */
  feed(chunk: Uint8Array): void;
  /** The next transfer for the bus; see EemSender. */
  take(maxBytes?: number): Uint8Array | undefined;
  /** The transfer that is under way in this direction ends unfinished; the next begins with a packet. What waits goes on waiting. */
  abandon(direction: "sent" | "received"): void;
  /** Whether frames are taken; while down they are counted as refused. Going up or down forgets all that is under way. */
  setUp(up: boolean): void;
}

export function createEemLink(options: EemLinkOptions): EemLink {
  const { crc = "real", usbPacketBytes = 64, onPending } = options;
  const receiver = new EemReceiver(options.chunked === true ? { usbPacketBytes } : {});
  const { bundle = true, maxQueued = 64, padding = "behind" } = options;
  const sender = new EemSender({ usbPacketBytes, bundle, maxQueued, padding });
  const counts = { framesReceived: 0, framesSent: 0, tooLong: 0, refused: 0 };
  const listeners = new Set<(frame: Uint8Array) => void>();
  let up = false;
  /** Counts `setUp`. */
  let life = 0;
  let open = true;

  const push = (packet: EemPacket): boolean => {
    const taken = sender.push(packet);
    if (taken) onPending();
    else counts.tooLong += 1;
    return taken;
  };
  const handle = (packet: EemPacket) => {
    if (packet.kind === "echo") {
      push({ kind: "echo-response", data: packet.data }); // CDC-EEM 1.0, 5.1.2.1: answering is mandatory
    } else if (packet.kind === "data") {
      counts.framesReceived += 1;
      for (const listener of [...listeners]) listener(packet.frame);
    }
  };
  const send = (frame: Uint8Array) => {
    if (!open) return;
    if (!up) counts.refused += 1;
    else if (frame.byteLength > MTU + ETHERNET_HEADER_BYTES) counts.tooLong += 1;
    else if (push({ kind: "data", crc, frame })) counts.framesSent += 1;
  };
  return {
    link: {
      mtu: MTU,
      send,
      onFrame(listener) {
        const own = (frame: Uint8Array) => listener(frame);
        if (open) listeners.add(own);
        return () => {
          listeners.delete(own);
        };
      },
      async close() {
        open = false;
        listeners.clear();
      },
    },
    get counters() {
      return { ...receiver.counters, ...counts, lost: sender.lost };
    },
    get pending() {
      return sender.pending;
    },
    holdings: () => ({ "packets for the bus": sender.queued, "bytes of a packet from the bus": receiver.carriedBytes }),
    feed(chunk) {
      if (!up) return;
      const from = life;
      for (const packet of receiver.feed(chunk)) {
        if (from === life) handle(packet); // a listener may have ended it
      }
    },
    take: (maxBytes) => (up ? sender.take(maxBytes) : undefined),
    abandon(direction) {
      if (direction === "sent") sender.abandon();
      else receiver.reset();
    },
    setUp(nowUp) {
      up = nowUp;
      life += 1;
      receiver.reset();
      sender.reset();
    },
  };
}
