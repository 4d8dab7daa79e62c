import assert from "node:assert/strict";
import { systemRandom } from "../../../hw/random/system.ts";
import { toHex } from "../../../shared/bytes/index.ts";

describe("the system's randomness", () => {
  it("gives as many bytes as asked for, none at all too", () => {
    for (const size of [0, 1, 2, 32, 255, 256, 257, 2_048, 2_049, 100_000]) {
      assert.equal(systemRandom.bytes(size).byteLength, size);
    }
  });

  it("gives nothing twice, and keeps nothing of what it gave", () => {
    const given = Array.from({ length: 1_000 }, (_, i) => systemRandom.bytes(24 + (i % 40)));
    assert.equal(new Set(given.map((bytes) => toHex(bytes.subarray(0, 24)))).size, given.length);
    const [first, second] = [systemRandom.bytes(32), systemRandom.bytes(32)];
    const before = toHex(second);
    first.fill(0);
    assert.equal(toHex(second), before);
    assert.ok(given.every((bytes) => bytes.some((byte) => byte !== 0)));
  });
});
