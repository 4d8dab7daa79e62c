import type { Failure, Outcome } from "./campaign.ts";

const NAME_WIDTH = 52;
const MAX_HEX = 4_096;

const whole = (value: number) => Math.round(value).toLocaleString("en-US");
const row = (name: string, ...cells: readonly string[]) =>
  [name.slice(0, NAME_WIDTH).padEnd(NAME_WIDTH), ...cells.map((cell) => cell.padStart(10))].join(" ");

export const HEAD = `      ${row("decoder", "inputs", "accepted", "refused", "inputs/s", "slowest ms", "grown MB", "corpus")}`;

export function outcomeLine(outcome: Outcome): string {
  const { name, inputs, accepted, seconds, slowestMs, grownBytes, corpus, failure } = outcome;
  const refused = inputs - accepted - (failure === undefined ? 0 : 1);
  const figures = [inputs, accepted, Math.max(0, refused), seconds === 0 ? 0 : inputs / seconds].map(whole);
  const line = row(name, ...figures, slowestMs.toFixed(1), (grownBytes / 1_048_576).toFixed(1), whole(corpus));
  return `${failure === undefined ? "ok" : "FAIL"}`.padEnd(6) + line;
}

const quoted = (name: string) => `'${name.replaceAll("'", "'\\''")}'`;

/** What failed, and the command that shows it again. */
export function failureLines({ name }: Outcome, { what, input, number, alone }: Failure, seed: number): string {
  const only = `npm run fuzz -- --only ${quoted(name)}`;
  const again =
    alone && input.length <= MAX_HEX ? `${only} --replay ${input}` : `${only} --seed ${seed} --inputs ${number}`;
  const shown = input.length <= MAX_HEX ? input : `${input.slice(0, 200)}... (${input.length / 2} bytes)`;
  return `      ${what}\n      input ${number}: ${shown || "none"}\n      again: ${again}`;
}

export function summary(outcomes: readonly Outcome[], seconds: number): string {
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length;
  const inputs = outcomes.reduce((sum, outcome) => sum + outcome.inputs, 0);
  const slowest = Math.max(...outcomes.map(({ slowestMs }) => slowestMs));
  const grown = Math.max(...outcomes.map(({ grownBytes }) => grownBytes)) / 1_048_576;
  const most = `slowest ${slowest.toFixed(1)} ms, grown by ${grown.toFixed(1)} MB at most`;
  return `${outcomes.length} fuzzed, ${failed} failed; ${whole(inputs)} inputs, ${most} (${seconds.toFixed(1)} s)`;
}
