import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { needs } from "../support/programs.ts";
import { DESCRIPTIONS, PAIRS, type Pair } from "./td-coap/pairs.ts";
import type { Description } from "./td-coap/scene.ts";
import { resultTable } from "./td-coap/table.ts";
import { UNMET } from "./td-coap/unmet.ts";

async function carryOut(pair: Pair, description: Description): Promise<void> {
  const scene = await pair.open(description.proxied ?? false);
  try {
    await description.run(scene);
  } finally {
    await scene.close();
  }
}

for (const pair of PAIRS) {
  describe(`CoAP interoperability descriptions: ${pair.name}`, () => {
    before(function () {
      needs(this, ...pair.programs);
    });

    for (const description of DESCRIPTIONS) {
      const { id, about } = description;
      const unmet = UNMET[pair.name]?.[id];
      if (unmet === undefined) {
        it(`${id}: ${about}`, () => carryOut(pair, description));
      } else if (unmet.kind === "fails") {
        it(`${id}: ${about}: still fails, because ${unmet.why}`, () =>
          assert.rejects(carryOut(pair, description), { message: unmet.says }));
      }
    }
  });
}

describe("docs/coap-interop.md", () => {
  it("has the table of what passes and fails", () => {
    const page = readFileSync("docs/coap-interop.md", "utf8");
    assert.ok(page.includes(resultTable()), `not in the page:\n${resultTable()}`);
  });

  it("puts each failure down to the peer", () => {
    for (const rows of Object.values(UNMET)) {
      for (const unmet of Object.values(rows)) {
        if (unmet.kind === "fails") assert.match(unmet.why, /^(libcoap|node `coap`)'s /);
      }
    }
  });

  it("explains nothing that is not in the table", () => {
    for (const [pair, rows] of Object.entries(UNMET)) {
      assert.ok(
        PAIRS.some(({ name }) => name === pair),
        pair,
      );
      for (const id of Object.keys(rows)) {
        assert.ok(
          DESCRIPTIONS.some((description) => description.id === id),
          `${pair}: ${id}`,
        );
      }
    }
  });
});
