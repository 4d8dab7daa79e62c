import assert from "node:assert/strict";
import { lies } from "./lies/index.ts";
import { isFor, profileNames, type Row } from "./row.ts";
import { rows } from "./rows/index.ts";
import { type RowResult, runRow } from "./runner.ts";
import { emulatedTarget } from "./target/emulated.ts";

function assertPassed({ row, outcome, detail }: RowResult): void {
  assert.equal(outcome, "pass", `${row.id} ${row.title}: ${detail ?? outcome}`);
}

/** A row's first profile. */
const profileOf = (row: Row) => profileNames.find((profile) => isFor(row, profile)) ?? "strict";

describe("conformance rows", () => {
  it("are 150 at least, each with an id of its own, a sentence and a source", () => {
    assert.ok(rows.length >= 150, `${rows.length} rows`);
    const ids = rows.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, "an id stands twice");
    for (const { id, title, source } of rows) {
      assert.match(id, /^[A-Z]{2}-\d{2}$/);
      assert.ok(title.length >= 15 && !title.endsWith("."), `${id}: ${title}`);
      assert.match(source, /^(docs\/[a-z0-9-]+\.md|RFC \d{4}|TPM 2\.0 Part \d|D-\d\d)/, id);
    }
  });

  it("have lies for each, and no lies for none", () => {
    const without = rows.filter(({ id }) => (lies.get(id) ?? []).length === 0).map(({ id }) => id);
    assert.deepEqual(without, [], "rows that no lie was tried on");
    const ids = new Set(rows.map(({ id }) => id));
    assert.deepEqual(
      [...lies.keys()].filter((id) => !ids.has(id)),
      [],
      "lies of rows that are not there",
    );
  });
});

for (const profile of profileNames) {
  for (const [link, where] of [
    ["usb", "the emulated stick"],
    ["udp", "UDP sockets"],
  ] as const) {
    describe(`conformance of ${profile} over ${where}`, () => {
      for (const row of rows.filter((one) => isFor(one, profile))) {
        it(`${row.id} ${row.title}`, async () => {
          assertPassed(await runRow(row, await emulatedTarget({ link, profile })));
        });
      }
    });
  }
}

describe("conformance: rows fail against a token that", () => {
  for (const row of rows) {
    for (const lie of lies.get(row.id) ?? []) {
      it(`${lie.name}: ${row.id}`, async () => {
        const target = await emulatedTarget({ link: "net", profile: profileOf(row), lie });
        const { outcome } = await runRow(row, target);
        assert.equal(outcome, "fail", `${row.id} ${row.title}`);
      });
    }
  }
});
