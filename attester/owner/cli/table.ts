import { printable } from "../../../hw/terminal/printable.ts";

/** The last instant that a Date holds: what ends later never ends. */
const LAST_MS = 8.64e15;
const GAP = "  ";

/** The day of milliseconds since 1970, in UTC. */
export function dayOf(ms: number | undefined): string {
  return momentOf(ms)?.slice(0, 10) ?? "never";
}

/** ISO 8601, in UTC; undefined for never. */
export function momentOf(ms: number | undefined): string | undefined {
  return ms === undefined || ms > LAST_MS ? undefined : new Date(ms).toISOString();
}

/** Lines of columns below their heads. Text of a peer does not steer the terminal. */
export function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [heads, ...rows].map((row) => row.map(printable));
  const widths = heads.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .join("\n");
}
