import assert from "node:assert/strict";
import { lies } from "./lies/index.ts";
import { isFor, profileNames, type Row } from "./row.ts";
import { rows } from "./rows/index.ts";
import { runRow } from "./runner.ts";
import { emulatedTarget } from "./target/emulated.ts";

/** A row's first profile: where its lies are tried. */
const profileOf = (row: Row) => profileNames.find((profile) => isFor(row, profile)) ?? "strict";

describe("conformance rows", () => {
  it("are 150 at least, each with an id of its own, a sentence and a source", () => {
    assert.ok(rows.length >= 150, `${rows.length} rows`);
    const ids = rows.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, "an id stands twice");
    for (const { id, title, source } of rows) {
      assert.match(id, /^[A-Z]{2}-\d{2}$/);
      assert.ok(title.length >= 15 && !title.endsWith("."), `${id}: ${title}`);
      assert.match(source, /^(docs\/[a-z0-9-]+\.md|RFC \d{4}|TPM 2\.0 Part \d)/, id);
    }
  });

  it("have lies for each, and no lies for none", () => {
    const without = rows.filter(({ id }) => (lies.get(id) ?? []).length === 0).map(({ id }) => id);
    assert.deepEqual(without, [], "rows that no lie was tried on");
    const ids = new Set(rows.map(({ id }) => id));
    const forNone = [...lies.keys()].filter((id) => !ids.has(id));
    assert.deepEqual(forNone, [], "lies of rows that are not there");
  });
});

describe("conformance rows fail against a token that", () => {
  for (const row of rows) {
    for (const lie of lies.get(row.id) ?? []) {
      it(`${lie.name}: ${row.id}`, async () => {
        const target = await emulatedTarget({ link: "net", profile: profileOf(row), lie });
        const { outcome, detail } = await runRow(row, target);
        assert.equal(outcome, "fail", `${row.title}: ${detail ?? outcome}`);
      });
    }
  }
});
