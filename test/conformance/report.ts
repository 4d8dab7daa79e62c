import { type JunitCase, junitReport } from "../../attester/cli/junit.ts";
import { profileNames, type Row } from "./row.ts";
import type { RowResult } from "./runner.ts";

const WORDS = { pass: "pass", fail: "FAIL", "not-applicable": "n/a " } as const;

/** One line of the matrix, and one more for what was seen instead. */
export function resultLine({ row, outcome, detail }: RowResult): string {
  const head = `${WORDS[outcome]}  ${row.id}  ${row.title}`;
  return detail === undefined ? head : `${head}\n            ${detail}`;
}

export function summary(results: readonly RowResult[], ms: number): string {
  const count = (outcome: RowResult["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  const parts = [`${count("pass")} pass`, `${count("fail")} fail`, `${count("not-applicable")} not applicable`];
  return `${results.length} rows: ${parts.join(", ")} (${(ms / 1000).toFixed(1)} s)`;
}

/** A row as `--list` shows it. */
export function listLine({ id, title, source, state, profiles = profileNames, needs = [] }: Row): string {
  const also = needs.length === 0 ? "" : `, needs ${needs.join(", ")}`;
  return `${id}  ${title}\n       ${profiles.join(", ")}; ${state}${also}; ${source}`;
}

export function junitOf(target: string, profile: string, results: readonly RowResult[]): string {
  const cases = results.map(({ row, outcome, detail, ms }): JunitCase => {
    const facts = { classname: `conformance.${profile}`, name: `${row.id} ${row.title}`, seconds: ms / 1000 };
    if (outcome === "fail") return { ...facts, failure: detail ?? "" };
    return outcome === "not-applicable" ? { ...facts, skipped: detail ?? "" } : facts;
  });
  return junitReport(`fobnail conformance, ${target}, ${profile}`, cases);
}
