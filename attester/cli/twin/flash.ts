import { createRamFlash } from "../../../hw/flash/index.ts";
import type { Flash, FlashGeometry } from "../../../shared/ports/index.ts";

/** Flash of a stick that can lose its power in the middle of a change. */
export interface StickFlash extends Flash {
  /** So many more changes are whole, the next one is torn; then `onCut` runs, once, within that change. */
  cutAfter(changes: number, onCut: () => void): void;
  /** The power comes back: what was changed after the cut never was. */
  powerUp(): void;
}

/** What a place holds after a torn change, from what it held `before` and would have held `after`; all three of one length. */
export type Tear = (before: Uint8Array, after: Uint8Array) => Uint8Array;

/** The first half of the change happened. */
const firstHalf: Tear = (before, after) => {
  const torn = before.slice();
  torn.set(after.subarray(0, Math.floor(after.byteLength / 2)));
  return torn;
};

/**
 * After the cut the firmware computes on into nothing until somebody stops it: it sees its own changes, and an image of the flash at the cut
 * is kept for the next start.
 */
export function createStickFlash(size?: FlashGeometry, tear: Tear = firstHalf): StickFlash {
  let ram = createRamFlash(size);
  let kept: Uint8Array | undefined;
  let armed: { left: number; readonly onCut: () => void } | undefined;
  const { geometry } = ram;

  const torn = (at: number, after: Uint8Array): void => {
    if (armed === undefined || armed.left-- > 0) return;
    kept = ram.image();
    kept.set(tear(ram.read(at, after.byteLength), after), at);
    const { onCut } = armed;
    armed = undefined;
    onCut();
  };

  return {
    geometry,
    read: (at, size) => ram.read(at, size),
    program(at, data) {
      torn(at, data);
      ram.program(at, data);
    },
    erase(page) {
      torn(page * geometry.pageBytes, new Uint8Array(geometry.pageBytes).fill(0xff));
      ram.erase(page);
    },
    cutAfter(changes, onCut) {
      armed = { left: changes, onCut };
    },
    powerUp() {
      armed = undefined;
      if (kept !== undefined) ram = createRamFlash(geometry, kept);
      kept = undefined;
    },
  };
}
