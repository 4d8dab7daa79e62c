import assert from "node:assert/strict";
import { createStickFlash } from "../../../../attester/cli/twin/flash.ts";

const byte = (flash: ReturnType<typeof createStickFlash>, at: number) => flash.read(at, 1)[0];

describe("twin: the stick's flash", () => {
  it("keeps what was changed before the cut, half of the change that was cut, and nothing of what came later", () => {
    const flash = createStickFlash();
    const cuts: number[] = [];
    flash.cutAfter(1, () => cuts.push(byte(flash, 0) ?? -1));
    flash.program(0, Uint8Array.of(1));
    assert.deepEqual(cuts, []);
    flash.program(8, Uint8Array.of(2, 3));
    assert.deepEqual(cuts, [1]);
    flash.program(16, Uint8Array.of(4));
    assert.deepEqual([...flash.read(8, 2)], [2, 3], "the firmware sees its own changes until it is stopped");
    assert.equal(byte(flash, 16), 4);
    flash.powerUp();
    assert.deepEqual([byte(flash, 0), ...flash.read(8, 2), byte(flash, 16)], [1, 2, 0xff, 0xff]);
  });

  it("tears an erasure, too", () => {
    const flash = createStickFlash();
    const { pageBytes } = flash.geometry;
    flash.program(0, Uint8Array.of(1));
    flash.program(pageBytes - 1, Uint8Array.of(2));
    flash.cutAfter(0, () => undefined);
    flash.erase(0);
    assert.equal(byte(flash, pageBytes - 1), 0xff);
    flash.powerUp();
    assert.deepEqual([byte(flash, 0), byte(flash, pageBytes - 1)], [0xff, 2]);
  });

  it("is of the size and torn as it is told, from what was there and what would have been", () => {
    const geometry = { pageBytes: 256, pages: 2 };
    const seen: [Uint8Array, Uint8Array][] = [];
    const flash = createStickFlash(geometry, (before, after) => {
      seen.push([before, after]);
      return Uint8Array.of(0xf0, 0x0f);
    });
    assert.deepEqual(flash.geometry, geometry);
    flash.cutAfter(0, () => undefined);
    flash.program(256, Uint8Array.of(0, 1));
    flash.powerUp();
    assert.deepEqual(seen, [[Uint8Array.of(0xff, 0xff), Uint8Array.of(0, 1)]]);
    assert.deepEqual([...flash.read(255, 4)], [0xff, 0xf0, 0x0f, 0xff]);
  });

  it("is cut once, and not any more after it got its power back", () => {
    const flash = createStickFlash();
    let cuts = 0;
    flash.cutAfter(0, () => cuts++);
    flash.program(0, Uint8Array.of(1));
    flash.program(1, Uint8Array.of(1));
    flash.powerUp();
    flash.program(0, Uint8Array.of(1));
    flash.cutAfter(5, () => cuts++);
    flash.powerUp();
    for (let at = 0; at < 10; at++) flash.program(100 + at, Uint8Array.of(at));
    assert.equal(cuts, 1);
    flash.powerUp();
    assert.deepEqual([...flash.read(100, 10)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
