import { type JunitCase, junitReport } from "../../attester/cli/junit.ts";
import type { Attack } from "./attack.ts";
import type { AttackResult } from "./runner.ts";

const TITLE_WIDTH = 78;
const EXPECTED_WIDTH = 52;

function cell(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 3)}...`;
}

export const HEAD = `      ${cell("id", 6)} ${cell("attack", TITLE_WIDTH)} ${cell("expected", EXPECTED_WIDTH)} got`;

/** One line of the table: what is as expected in full, what is not with both sides below. */
export function resultLine({ attack, got, honest, ok }: AttackResult): string {
  const { id, title, expected } = attack;
  const line = `${cell(id, 6)} ${cell(title, TITLE_WIDTH)} ${cell(expected, EXPECTED_WIDTH)} ${got}`;
  return ok ? `ok    ${line}` : `FAIL  ${line}\n      the honest way: ${attack.honest} expected, ${honest} seen`;
}

export function listLine({ id, title, expected, honest, profile = "strict" }: Attack): string {
  return `${id}  ${title}\n       ${profile}; expected ${expected}; the honest way ${honest}`;
}

export function summary(results: readonly AttackResult[], ms: number): string {
  const failed = results.filter(({ ok }) => !ok).length;
  return `${results.length} attacks: ${results.length - failed} as expected, ${failed} not (${(ms / 1000).toFixed(1)} s)`;
}

export function junitOf(results: readonly AttackResult[]): string {
  const cases = results.map(({ attack, got, honest, ok, ms }): JunitCase => {
    const { id, title, expected } = attack;
    const facts = { classname: `attacks.${id.slice(0, 2)}`, name: `${id} ${title}`, seconds: ms / 1000 };
    if (ok) return facts;
    return { ...facts, failure: `${expected} expected, got ${got}; the honest way: ${attack.honest}, got ${honest}` };
  });
  return junitReport("fobnail attacks", cases);
}
