import type { Noticed } from "./judges.ts";
import type { Mutation } from "./mutation.ts";

export interface Result {
  readonly mutation: Mutation;
  readonly tests: Noticed;
  readonly attacks: Noticed;
  readonly simulation: Noticed;
  readonly noticed: boolean;
}

/** A table in Markdown, so that it can stand in docs/testing.md as it is printed. */
export const HEAD = "| id | mutation | tests | attacks | simulation |\n|---|---|---|---|---|";

const MAX_IDS = 4;
const MAX_TITLE = 90;

function cut(text: string): string {
  const plain = text.replaceAll("|", "/").replaceAll(/\s+/g, " ");
  return plain.length <= MAX_TITLE ? plain : `${plain.slice(0, MAX_TITLE - 3)}...`;
}

/** The first test, and how many more. */
function first(noticed: Noticed): string {
  const [one, ...more] = noticed;
  if (one === undefined) return "-";
  return more.length === 0 ? cut(one) : `${cut(one)}; ${more.length} more`;
}

function ids(noticed: Noticed): string {
  const shown = noticed.slice(0, MAX_IDS).join(", ");
  if (noticed.length === 0) return "-";
  return noticed.length > MAX_IDS ? `${shown} and ${noticed.length - MAX_IDS} more` : shown;
}

export function rowOf({ mutation: { id, what }, tests, attacks, simulation, noticed }: Result): string {
  const told = noticed ? what : `${what}: **nobody noticed**`;
  return `| ${id} | ${told} | ${first(tests)} | ${ids(attacks)} | ${first(simulation)} |`;
}

export function summary(results: readonly Result[], ms: number): string {
  const count = (which: (result: Result) => Noticed) => results.filter((result) => which(result).length > 0).length;
  const parts = `tests ${count(({ tests }) => tests)}, attacks ${count(({ attacks }) => attacks)}, simulation ${count(({ simulation }) => simulation)}`;
  const noticed = results.filter((result) => result.noticed).length;
  return `${results.length} mutations: ${noticed} noticed (${parts}), ${results.length - noticed} not; ${(ms / 1000).toFixed(0)} s`;
}
