import type { Delivery, Fault } from "../../../hw/net/faults.ts";
import type { Random } from "../../../shared/ports/index.ts";

/** A share of all frames, or the next so many. */
export type Dose = number | { readonly next: number };

export interface LinkFaults {
  readonly lose: Dose;
  readonly damage: Dose;
  readonly double: Dose;
  readonly toward: "both" | "token" | "computer";
  /** So many frames that way go through first. */
  readonly after: number;
}

export const NO_FAULTS: LinkFaults = { lose: 0, damage: 0, double: 0, toward: "both", after: 0 };

const UINT32_RANGE = 2 ** 32;

/** Faults on the link as the computer sees it: `send` goes toward the token. Drawn from `random`, so a seed repeats them. */
export function faultInjector(random: Random): { readonly fault: Fault; set(faults: LinkFaults): void } {
  let { toward, after, ...doses } = NO_FAULTS;
  const draw = () => new DataView(random.bytes(4).buffer).getUint32(0);

  const strikes = (kind: "lose" | "damage" | "double"): boolean => {
    const dose = doses[kind];
    if (typeof dose === "number") return dose > 0 && draw() < dose * UINT32_RANGE;
    if (dose.next === 0) return false;
    doses = { ...doses, [kind]: { next: dose.next - 1 } };
    return true;
  };

  const damaged = (frame: Uint8Array): Uint8Array => {
    const copy = frame.slice();
    const bit = draw() % (8 * copy.byteLength);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  };

  return {
    fault(frame, direction): readonly Delivery[] {
      if (toward !== "both" && toward !== (direction === "send" ? "token" : "computer")) return [{ frame }];
      if (after > 0) {
        after -= 1;
        return [{ frame }];
      }
      if (strikes("lose")) return [];
      const arriving = strikes("damage") ? damaged(frame) : frame;
      return strikes("double") ? [{ frame: arriving }, { frame: arriving }] : [{ frame: arriving }];
    },
    set(faults) {
      ({ toward, after, ...doses } = faults);
    },
  };
}
