import { createRamFlash, type RamFlash } from "../../hw/flash/index.ts";
import type { FlashGeometry } from "../../shared/ports/index.ts";
import { firstBytes, type Tear } from "./tears.ts";

export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

export interface CutFlash extends RamFlash {
  /** Operations that change the flash, so far. */
  readonly operations: number;
  /** Erasures of each page, so far. */
  readonly erasures: readonly number[];
  /** From operation `at` on (the first is 0) there is no power; that one leaves what `tear` says, or a share of its bytes, from the first on. */
  cutAt(at: number, tear: Tear | number): void;
}

/** RAM flash that loses power when told: the operation is done in part, it and all later ones throw PowerCut. */
export function createCutFlash(geometry: FlashGeometry, image?: Uint8Array): CutFlash {
  let ram = createRamFlash(geometry, image);
  let operations = 0;
  let cut = { at: Number.POSITIVE_INFINITY, tear: firstBytes(0) };
  const erasures = new Array<number>(geometry.pages).fill(0);
  const run = (whole: () => void, at: number, after: Uint8Array) => {
    const operation = operations++;
    if (operation < cut.at) return whole();
    if (operation === cut.at) {
      const image = ram.image();
      image.set(cut.tear(ram.read(at, after.byteLength), after), at);
      ram = createRamFlash(geometry, image);
    }
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
    cutAt: (at, tear) => {
      cut = { at, tear: typeof tear === "number" ? firstBytes(tear) : tear };
    },
    program: (at, data) => run(() => ram.program(at, data), at, data),
    erase: (page) => {
      const whole = () => {
        ram.erase(page);
        erasures[page] = (erasures[page] ?? 0) + 1;
      };
      run(whole, page * geometry.pageBytes, new Uint8Array(geometry.pageBytes).fill(0xff));
    },
  };
}
