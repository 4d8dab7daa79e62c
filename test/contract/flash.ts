import assert from "node:assert/strict";
import type { Flash, FlashGeometry } from "../../shared/ports/index.ts";

/** What every Flash must keep. `make` gives an erased one of this geometry; `reopen` the same bytes after a restart, where there is one. */
export function flashContract(make: (geometry: FlashGeometry) => Flash, reopen?: (flash: Flash) => Flash): void {
  const geometry = { pageBytes: 64, pages: 4 };
  const size = geometry.pageBytes * geometry.pages;

  it("tells its geometry and starts erased", () => {
    const flash = make(geometry);
    assert.deepEqual(flash.geometry, geometry);
    assert.deepEqual(flash.read(0, size), new Uint8Array(size).fill(0xff));
  });

  it("keeps what was programmed and erases whole pages, no other", () => {
    const flash = make(geometry);
    flash.program(60, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)); // across the border of two pages
    assert.deepEqual(flash.read(60, 8), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    flash.erase(1);
    assert.deepEqual(flash.read(60, 8), Uint8Array.of(1, 2, 3, 4, 255, 255, 255, 255));
  });

  it("clears bits and refuses to set them", () => {
    const flash = make(geometry);
    flash.program(10, Uint8Array.of(0xf0));
    flash.program(10, Uint8Array.of(0x30));
    assert.throws(() => flash.program(10, Uint8Array.of(0x31)), /erase the page first/);
    assert.throws(() => flash.program(8, Uint8Array.of(0, 0, 0xff)), /at 10/);
    assert.deepEqual(
      flash.read(8, 3),
      Uint8Array.of(0xff, 0xff, 0x30),
      "a refused program leaves everything as it was",
    );
  });

  it("refuses what lies outside", () => {
    const flash = make(geometry);
    assert.throws(() => flash.read(size - 1, 2), RangeError);
    assert.throws(() => flash.read(-1, 1), RangeError);
    assert.throws(() => flash.read(0.5, 1), RangeError);
    assert.throws(() => flash.program(size, Uint8Array.of(0)), RangeError);
    assert.throws(() => flash.erase(4), RangeError);
    assert.throws(() => flash.erase(-1), RangeError);
  });

  it("hands out copies and takes copies", () => {
    const flash = make(geometry);
    flash.read(0, 4).fill(0);
    const data = Uint8Array.of(7, 7);
    flash.program(0, data);
    data.fill(0);
    assert.deepEqual(flash.read(0, 4), Uint8Array.of(7, 7, 255, 255));
  });

  if (reopen !== undefined) {
    it("holds its bytes over a restart", () => {
      const flash = make(geometry);
      flash.program(100, Uint8Array.of(1, 2, 3));
      flash.erase(0);
      assert.deepEqual(reopen(flash).read(99, 5), Uint8Array.of(255, 1, 2, 3, 255));
    });
  }
}
