import type { Tear } from "../../attester/cli/twin/flash.ts";
import type { Delivery, Fault } from "../../hw/net/faults.ts";
import { EtherType } from "../../shared/net/index.ts";
import type { Dice } from "./dice.ts";
import type { Weather } from "./plan.ts";

/**
 * Flash programs and erases byte after byte: those before a drawn place changed, and of the bits of that one any may have. That a cut leaves
 * nothing behind a change that is not whole is what the storage takes for granted.
 */
export function tearBits(dice: Dice): Tear {
  return (before, after) => {
    const place = dice.from(0, before.byteLength - 1);
    const bits = dice.from(0, 0xff);
    const torn = before.slice();
    torn.set(after.subarray(0, place));
    torn[place] = ((before[place] ?? 0) & ~bits) | ((after[place] ?? 0) & bits);
    return torn;
  };
}

const ETHER_TYPE_AT = 12;

function isArp(frame: Uint8Array): boolean {
  const [high, low] = frame.subarray(ETHER_TYPE_AT);
  return high === EtherType.Arp >> 8 && low === (EtherType.Arp & 0xff);
}

/**
 * Frames in the weather of the moment; none goes through a link that is cut. ARP, which has no checksum, is not damaged on its way to the computer: what
 * that believes of the token it believes for a minute (RFC 1122, 2.3.2.1), longer than a run waits. A token that was told nonsense asks again.
 */
export function faultOf(dice: Dice, weather: () => Weather, isCut: () => boolean): Fault {
  const damaged = (frame: Uint8Array): Uint8Array => {
    const copy = frame.slice();
    const bit = dice.from(0, 8 * copy.byteLength - 1);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  };
  return (frame, direction) => {
    if (isCut()) return [];
    const { lose, double, damage, delay, delayMs } = weather();
    if (lose + double + damage + delay === 0) return [{ frame }];
    if (dice.chance(lose)) return [];
    const one = (): Delivery => {
      const isDamaged = dice.chance(damage) && !(direction === "receive" && isArp(frame));
      const arriving = isDamaged ? damaged(frame) : frame;
      return dice.chance(delay) ? { frame: arriving, delayMs: dice.from(1, delayMs) } : { frame: arriving };
    };
    return dice.chance(double) ? [one(), one()] : [one()];
  };
}
