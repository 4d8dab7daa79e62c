import type { Tear } from "../../attester/cli/twin/flash.ts";
import type { Delivery, Fault } from "../../hw/net/faults.ts";
import { EtherType } from "../../shared/net/index.ts";
import type { Dice } from "./dice.ts";
import type { Weather } from "./plan.ts";

/** Of the bits that were to change any have, in no order: flash promises none. */
export function tearBits(dice: Dice): Tear {
  return (before, after) => {
    const done = dice.bytes(before.byteLength);
    return before.map((byte, at) => byte ^ ((byte ^ (after[at] ?? byte)) & (done[at] ?? 0)));
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
