import type { Lie } from "./lie.ts";

/** For each row what a token must not do: under each of these lies the row fails. */
export type LieTable = ReadonlyMap<string, readonly Lie[]>;

type Line = readonly [ids: string, ...lies: readonly Lie[]];

/** "EV-11..EV-28" are all of them; "EV-11 EV-13" are two. */
function expand(ids: string): readonly string[] {
  return ids.split(" ").flatMap((part) => {
    const [from = "", to = from] = part.split("..");
    const [first, last] = [from, to].map((id) => Number(id.slice(3)));
    if (first === undefined || last === undefined || from.slice(0, 3) !== to.slice(0, 3))
      throw new Error(`no range: ${part}`);
    return Array.from(
      { length: last - first + 1 },
      (_, i) => `${from.slice(0, 3)}${String(first + i).padStart(2, "0")}`,
    );
  });
}

/** Rows that stand in several lines have the lies of all. */
export function lieTable(lines: readonly Line[]): LieTable {
  const table = new Map<string, Lie[]>();
  for (const [ids, ...lies] of lines) {
    for (const id of expand(ids)) table.set(id, [...(table.get(id) ?? []), ...lies]);
  }
  return table;
}
