import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { builtFolder } from "../support/built.ts";
import { isReached, measure } from "./bench.ts";
import { builtProgram, startOf } from "./start.ts";

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

  it("measures the build of these sources, or says what is wrong with it", () => {
    const folder = mkdtempSync(join(tmpdir(), "fobnail-dist-"));
    const put = (name: string, atSeconds: number) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), "");
      utimesSync(join(folder, name), atSeconds, atSeconds);
    };
    try {
      for (const name of ["fobnail.ts", "shared/a.ts", "token/a.ts", "attester/a/b.ts", "hw/a.ts"]) put(name, 1_000);
      assert.throws(() => builtProgram(folder), /there is no dist\/fobnail\.js .*npm run build/);
      put("dist/fobnail.js", 2_000);
      assert.equal(builtProgram(folder), join(folder, "dist/fobnail.js"));
      put("attester/a/b.ts", 3_000);
      assert.throws(() => builtProgram(folder), /dist\/ is older than attester\/a\/b\.ts: npm run build/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("fails when what was started does", async () => {
    const bench = startOf(() => join(builtFolder(), "missing.js"));
    await assert.rejects(measure(bench, { iterations: 1, warmUp: 0 }), /ended \(1\) without .*listening/s);
  });
});
