import { ETHERNET_HEADER_BYTES } from "../../shared/net/index.ts";
import type { FrameLink } from "../../shared/ports/index.ts";

export interface MemoryLinkOptions {
  /** Default 1500. */
  readonly mtu?: number;
  /** Frames under way at a time; more are lost, as in a full switch. Default 1024. */
  readonly maxQueued?: number;
  /**
   * When waiting frames travel. The default delivers before the outermost `send` returns, one frame after another, never one
   * inside another. `queueMicrotask` lets the sender finish first, as a wire does.
   */
  readonly schedule?: (run: () => void) => void;
}

type Listener = (frame: Uint8Array) => void;

interface Arrival {
  readonly listeners: ReadonlySet<Listener>;
  readonly frame: Uint8Array;
}

/** Two ends of a cable. Frames arrive in order; each end gets its own copy. Frames over the MTU are lost. */
export function createMemoryLinkPair(options: MemoryLinkOptions = {}): readonly [FrameLink, FrameLink] {
  const { mtu = 1_500, maxQueued = 1_024, schedule = (run) => run() } = options;
  const queue: Arrival[] = [];
  let scheduled = false;

  const drain = () => {
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        for (const listener of [...next.listeners]) listener(next.frame);
      }
    } finally {
      scheduled = false;
      if (queue.length > 0) wake(); // a listener threw: its error goes out, the other frames still arrive
    }
  };
  const wake = () => {
    if (scheduled) return;
    scheduled = true;
    schedule(drain);
  };
  const end = (own: Set<Listener>, others: ReadonlySet<Listener>): FrameLink => {
    let open = true;
    return {
      mtu,
      send(frame) {
        if (!open || frame.byteLength > mtu + ETHERNET_HEADER_BYTES || queue.length >= maxQueued) return;
        queue.push({ listeners: others, frame: frame.slice() });
        wake();
      },
      onFrame(listener) {
        const ownListener: Listener = (frame) => listener(frame);
        if (open) own.add(ownListener);
        return () => {
          own.delete(ownListener);
        };
      },
      async close() {
        open = false;
        own.clear();
      },
    };
  };
  const a = new Set<Listener>();
  const b = new Set<Listener>();
  return [end(a, b), end(b, a)];
}
