import assert from "node:assert/strict";
import { measuredOnce } from "./as-json.ts";

describe("bench tokens", () => {
  it("has 10, 100 and 1,000 tokens attest, and tells the memory of one", async function () {
    this.timeout(120_000);
    const results = await measuredOnce("tokens");
    assert.deepEqual(
      results.flatMap(({ way }) => way ?? []),
      ["10 tokens", "100 tokens", "1,000 tokens"],
    );
    const [memory, ...times] = results.filter(({ figure }) => figure !== undefined).map(({ value }) => Number(value));
    assert.ok(memory !== undefined && memory > 0.125 && memory < 2, "a flash of 128 KiB, and what is around it");
    assert.equal(times.length, 2);
    for (const time of times) assert.ok(time > 0);
  });
});
