import type { Clock, FrameLink } from "../../shared/ports/index.ts";

/** A frame that arrives: as it is, damaged, or late. */
export interface Delivery {
  readonly frame: Uint8Array;
  readonly delayMs?: number;
}

/** What becomes of a frame: no delivery is loss, two are a duplicate, another frame is damage. */
export type Fault = (frame: Uint8Array, direction: "send" | "receive") => readonly Delivery[];

/** `link` with trouble on the way; `direction` is seen from this end. Delays need `clock`. */
export function faultyLink(link: FrameLink, fault: Fault, clock?: Clock): FrameLink {
  const passOn = (deliveries: readonly Delivery[], arrive: (frame: Uint8Array) => void) => {
    for (const { frame, delayMs } of deliveries) {
      if (delayMs === undefined) arrive(frame);
      else if (clock === undefined) throw new RangeError("a delayed frame needs a clock");
      else clock.after(delayMs, () => arrive(frame));
    }
  };
  return {
    mtu: link.mtu,
    send: (frame) => passOn(fault(frame, "send"), (arriving) => link.send(arriving)),
    onFrame(listener) {
      let open = true;
      const leave = link.onFrame((frame) => {
        passOn(fault(frame, "receive"), (arriving) => {
          if (open) listener(arriving);
        });
      });
      return () => {
        open = false;
        leave();
      };
    },
    close: () => link.close(),
  };
}
