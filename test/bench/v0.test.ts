import assert from "node:assert/strict";
import { needs } from "../support/programs.ts";
import { measuredOnce } from "./as-json.ts";

describe("bench v0", () => {
  it("attests over swtpm, and sends it the same commands once more", async function () {
    this.timeout(60_000);
    needs(this, "swtpm");
    const [whole, alone, figure, note] = await measuredOnce("v0");
    assert.deepEqual([whole?.["way"], alone?.["way"]], ["plugged in to verdict", "its TPM commands alone"]);
    const [wholeMs, aloneMs] = [whole, alone].map((result) => Number(result?.["medianMs"]));
    assert.ok(aloneMs !== undefined && aloneMs > 0 && wholeMs !== undefined && wholeMs > 0);
    assert.equal(figure?.["value"], wholeMs / aloneMs);
    assert.equal(note?.["what"], "its TPM commands: TPM2_Sign, TPM2_Quote");
  });
});
