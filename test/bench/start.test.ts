import assert from "node:assert/strict";
import { join } from "node:path";
import { builtFolder } from "../support/built.ts";
import { isReached, measure } from "./bench.ts";
import { startOf } from "./start.ts";

describe("bench start", () => {
  it("starts whole processes, and tells their time and memory beside Node's own", async function () {
    this.timeout(60_000);
    const bench = startOf(() => join(builtFolder(), "fobnail.js"));
    const { results, figures, notes } = await measure(bench, { iterations: 1, warmUp: 0 });
    assert.deepEqual(
      results.map(({ what }) => what),
      ["node", "fobnail token", "fobnail demo --fast"],
    );
    const [node, token, demo] = results.map(({ medianMs }) => medianMs);
    assert.ok(node !== undefined && token !== undefined && demo !== undefined);
    assert.ok(0 < node && 0 < token && 0 < demo);
    assert.equal(figures.length + notes.length, 3, "memory, or why not");
    for (const figure of figures) assert.ok(figure.value > 0 && typeof isReached(figure) === "boolean");
  });

  it("fails when what was started does", async () => {
    const bench = startOf(() => join(builtFolder(), "missing.js"));
    await assert.rejects(measure(bench, { iterations: 1, warmUp: 0 }), /ended \(1\) without .*listening/s);
  });
});
