import assert from "node:assert/strict";
import fc from "fast-check";
import { Slab } from "../../../shared/coap/slab.ts";

describe("CoAP slab", () => {
  it("cuts pieces of the wanted size that share no byte", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 60 }), (sizes) => {
        const slab = new Slab();
        const pieces = sizes.map((size, i) => slab.take(size).fill(i));
        for (const [i, piece] of pieces.entries()) assert.deepEqual(piece, new Uint8Array(sizes[i] ?? 0).fill(i));
      }),
    );
  });

  it("gives zeros, and does not hold much for a small piece", () => {
    const slab = new Slab();
    for (let i = 0; i < 1_000; i++) {
      const piece = slab.take(i);
      assert.ok(piece.every((byte) => byte === 0));
      assert.ok(piece.buffer.byteLength <= 8_192);
      piece.fill(0xff);
    }
  });
});
