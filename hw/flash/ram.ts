import type { Flash, FlashGeometry } from "../../shared/ports/index.ts";
import { checkPage, checkProgram, checkRange, STICK_GEOMETRY, sizeOf } from "./rules.ts";

export interface RamFlash extends Flash {
  /** A copy of every byte. */
  image(): Uint8Array;
}

/** Flash that forgets at the end of the process: for tests, scenarios and the demo. `image` is what it starts with; erased without one. */
export function createRamFlash(geometry: FlashGeometry = STICK_GEOMETRY, image?: Uint8Array): RamFlash {
  if (image !== undefined && image.byteLength !== sizeOf(geometry)) {
    throw new RangeError(`flash: an image of ${image.byteLength} bytes where ${sizeOf(geometry)} belong`);
  }
  const bytes = image?.slice() ?? new Uint8Array(sizeOf(geometry)).fill(0xff);
  return {
    geometry,
    read(at, size) {
      checkRange(geometry, at, size);
      return bytes.slice(at, at + size);
    },
    program(at, data) {
      checkRange(geometry, at, data.byteLength);
      checkProgram(bytes.subarray(at, at + data.byteLength), data, at);
      bytes.set(data, at);
    },
    erase(page) {
      checkPage(geometry, page);
      bytes.fill(0xff, page * geometry.pageBytes, (page + 1) * geometry.pageBytes);
    },
    image: () => bytes.slice(),
  };
}
