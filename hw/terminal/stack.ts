import type { LogLevel } from "../../shared/ports/index.ts";

/** Causes of causes that are shown; an error may be its own. */
const MAX_CAUSES = 4;

/**
 * Where the bug is that a log line tells of: the stack of the first Error among its facts and those of its causes, in lines. Undefined for
 * other levels and for what was foreseen, which has a sentence and no Error there.
 */
export function stackOf(level: LogLevel, facts: Readonly<Record<string, unknown>>): string | undefined {
  if (level !== "error") return undefined;
  const error = Object.values(facts).find((fact) => fact instanceof Error);
  return error === undefined ? undefined : withCauses(error).map(framed).join("\ncaused by ");
}

function withCauses(error: Error): readonly Error[] {
  const chain = [error];
  for (let cause = error.cause; cause instanceof Error && chain.length <= MAX_CAUSES; cause = cause.cause)
    chain.push(cause);
  return chain;
}

/** Its own head: the stack's is of the moment before the error had its name. */
function framed(error: Error): string {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^ +at /.test(line));
  return [String(error), ...frames].join("\n");
}
