import { createRamFlash, type RamFlash } from "../../hw/flash/index.ts";
import type { FlashGeometry } from "../../shared/ports/index.ts";

export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

/** How much of the interrupted operation still happens: a share of its bytes, from the first on. */
type CutShare = number;

export interface CutFlash extends RamFlash {
  /** Operations that change the flash, so far. */
  readonly operations: number;
  /** Erasures of each page, so far. */
  readonly erasures: readonly number[];
  /** From operation `at` on (the first is 0) there is no power; of that one `share` happens. */
  cutAt(at: number, share: CutShare): void;
}

/** RAM flash that loses power when told: the operation is done in part, it and all later ones throw PowerCut. */
export function createCutFlash(geometry: FlashGeometry, image?: Uint8Array): CutFlash {
  let ram = createRamFlash(geometry, image);
  let operations = 0;
  let cut = { at: Number.POSITIVE_INFINITY, share: 0 };
  const erasures = new Array<number>(geometry.pages).fill(0);
  const run = (whole: () => void, part: (share: CutShare) => void) => {
    const operation = operations++;
    if (operation < cut.at) return whole();
    if (operation === cut.at) part(cut.share);
    throw new PowerCut(`at operation ${operation}`);
  };
  return {
    geometry,
    read: (at, size) => ram.read(at, size),
    image: () => ram.image(),
    get operations() {
      return operations;
    },
    erasures,
    cutAt: (at, share) => {
      cut = { at, share };
    },
    program: (at, data) =>
      run(
        () => ram.program(at, data),
        (share) => ram.program(at, data.subarray(0, Math.floor(share * data.byteLength))),
      ),
    erase: (page) =>
      run(
        () => {
          ram.erase(page);
          erasures[page] = (erasures[page] ?? 0) + 1;
        },
        (share) => {
          const torn = ram.image();
          const from = page * geometry.pageBytes;
          torn.fill(0xff, from, from + Math.floor(share * geometry.pageBytes));
          ram = createRamFlash(geometry, torn);
        },
      ),
  };
}
