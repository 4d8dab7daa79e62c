import type { Tear } from "../../attester/cli/twin/flash.ts";
import type { Delivery, Fault } from "../../hw/net/faults.ts";
import { EtherType } from "../../shared/net/index.ts";
import { OPENED_MARK_AT } from "../../token/storage/format.ts";
import type { Dice } from "./dice.ts";
import type { Weather } from "./plan.ts";

/**
 * What a cut leaves of a change of the flash, which promises nothing: any of its bits are done and the others not; of an erasure, which sets all
 * bits, anything is left, also what programming all to 0 came to, which it does first. Few bits, half of them, many, and bytes in their order are all drawn.
 */
export function tearBits(dice: Dice): Tear {
  return (before, after) => {
    const isErasure = after.every((byte) => byte === 0xff);
    const residue = isErasure ? dice.pick(["of before", "any", "zero", "programmed"]) : "of before";
    if (residue === "zero") return new Uint8Array(before.byteLength);
    if (residue === "programmed") return programmedToZero(dice, before);
    const from = residue === "any" ? dice.bytes(before.byteLength) : before;
    const done = doneBits(dice, before.byteLength);
    return from.map((byte, at) => byte ^ ((byte ^ (after[at] ?? byte)) & (done[at] ?? 0)));
  };
}

/** From the end on: what is left may be a whole header, with marks that read as set. */
function programmedToZero(dice: Dice, before: Uint8Array): Uint8Array {
  const kept = dice.pick([OPENED_MARK_AT, dice.from(0, before.byteLength - 1)]);
  return before.map((byte, at) => (at < kept ? byte : 0));
}

/** A mask of the bits that are done. */
function doneBits(dice: Dice, sizeBytes: number): Uint8Array {
  const half = dice.bytes(sizeBytes);
  const other = dice.bytes(sizeBytes);
  switch (dice.pick(["few", "half", "many", "in order"])) {
    case "few":
      return half.map((bits, at) => bits & (other[at] ?? 0) & (half[sizeBytes - 1 - at] ?? 0));
    case "many":
      return half.map((bits, at) => bits | (other[at] ?? 0) | (half[sizeBytes - 1 - at] ?? 0));
    case "in order": {
      const place = dice.from(0, sizeBytes - 1);
      return half.map((bits, at) => (at < place ? 0xff : at === place ? bits : 0));
    }
    default:
      return half;
  }
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
