import { createRamFlash } from "../../../hw/flash/index.ts";
import type { Flash } from "../../../shared/ports/index.ts";

/** Flash of a stick that can lose its power in the middle of a change. */
export interface StickFlash extends Flash {
  /** So many more changes are whole, the next one is torn; then `onCut` runs, once, within that change. */
  cutAfter(changes: number, onCut: () => void): void;
  /** The power comes back: what was changed after the cut never was. */
  powerUp(): void;
}

/** A torn change: how much of it happened. */
const TORN_SHARE = 0.5;

/**
 * After the cut the firmware computes on into nothing until somebody stops it: it sees its own changes, and an image of the flash at the cut
 * is kept for the next start.
 */
export function createStickFlash(): StickFlash {
  let ram = createRamFlash();
  let kept: Uint8Array | undefined;
  let armed: { left: number; readonly onCut: () => void } | undefined;
  const { geometry } = ram;

  const torn = (tear: (image: Uint8Array) => void): void => {
    if (armed === undefined || armed.left-- > 0) return;
    kept = ram.image();
    tear(kept);
    const { onCut } = armed;
    armed = undefined;
    onCut();
  };

  return {
    geometry,
    read: (at, size) => ram.read(at, size),
    program(at, data) {
      torn((image) => image.set(data.subarray(0, Math.floor(TORN_SHARE * data.byteLength)), at));
      ram.program(at, data);
    },
    erase(page) {
      const from = page * geometry.pageBytes;
      torn((image) => image.fill(0xff, from, from + Math.floor(TORN_SHARE * geometry.pageBytes)));
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
