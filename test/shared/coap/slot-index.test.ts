import assert from "node:assert/strict";
import fc from "fast-check";
import { SlotIndex } from "../../../shared/coap/slot-index.ts";

const MAX = 12;

describe("CoAP slot index", () => {
  it("finds what a search through all slots finds: of those with the key the one put in last", () => {
    // few keys, so that they meet; some far apart, as those of many peers are
    const key = fc.oneof(fc.nat(5), fc.nat(3).map((n) => n * 0x1_0000 * 0x9_0000), fc.nat(2 ** 40)); // biome-ignore format: one claim
    fc.assert(
      fc.property(fc.array(key, { maxLength: 80 }), (keys) => {
        const index = new SlotIndex(MAX);
        for (const [i, added] of keys.entries()) {
          if (i >= MAX) index.remove(i % MAX);
          index.put(i % MAX, added);
          const there = keys.slice(Math.max(0, i + 1 - MAX), i + 1);
          for (const wanted of keys) {
            const last = there.lastIndexOf(wanted);
            const expected = last < 0 ? undefined : (i + 1 - there.length + last) % MAX;
            assert.equal(index.find(wanted), expected);
          }
        }
      }),
    );
  });

  it("holds a single slot, too", () => {
    const index = new SlotIndex(1);
    assert.equal(index.find(7), undefined);
    index.put(0, 7);
    assert.equal(index.find(7), 0);
    index.remove(0);
    assert.equal(index.find(7), undefined);
  });
});
