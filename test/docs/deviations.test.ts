import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { profileRows } from "../../token/domain/profile.ts";

describe("docs/deviations.md", () => {
  const text = readFileSync("docs/deviations.md", "utf8");
  const [profiles = "", ...others] = text.split(/^## /m).slice(1);
  const numbers = (section: string): string[] =>
    [...section.matchAll(/^\| (D-\d\d) \|/gm)].map((match) => match[1] ?? "");

  it("lists the rows in which the profiles differ, all of them and no other", () => {
    const rows = Object.values(profileRows).map(({ deviation }) => deviation);
    assert.deepEqual(numbers(profiles), rows.toSorted());
  });

  it("gives each number once", () => {
    const all = [profiles, ...others].flatMap(numbers);
    assert.equal(new Set(all).size, all.length, all.join(" "));
  });

  it("has a row for each number that the sources cite", () => {
    const known = new Set([profiles, ...others].flatMap(numbers));
    const sources = ["shared", "token", "attester", "hw"].flatMap((room) =>
      readdirSync(room, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => `${room}/${name}`),
    );
    for (const source of sources) {
      for (const [cited] of readFileSync(source, "utf8").matchAll(/\bD-\d\d\b/g)) {
        assert.ok(known.has(cited), `${source} cites ${cited}`);
      }
    }
  });
});
