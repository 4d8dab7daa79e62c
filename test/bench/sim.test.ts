import assert from "node:assert/strict";
import { isReached, measure } from "./bench.ts";
import { sim } from "./sim.ts";

describe("bench sim", function () {
  this.timeout(120_000);

  it("measures honest stories on one core and on all, and seeds of trouble", async () => {
    const { results, figures } = await measure(sim, { iterations: 1, warmUp: 0 });
    assert.deepEqual(
      results.map(({ count, medianMs }) => [count, medianMs > 0]),
      [
        [1, true],
        [1, true],
        [1, true],
      ],
    );
    assert.equal(figures.length, 2);
    for (const figure of figures) {
      assert.deepEqual([figure.unit, figure.goal], ["/s", { atLeast: 200 }]);
      assert.equal(isReached(figure), figure.value >= 200);
    }
  });
});
