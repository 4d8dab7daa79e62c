import { nameLamps } from "../../../hw/terminal/lamps.ts";
import type { Twin } from "../twin/twin.ts";
import type { StepValue } from "./schema.ts";

type Expected = StepValue<"expect">;

const list = (pcrs: readonly number[] | undefined): string => (pcrs === undefined ? "none" : `[${pcrs.join(", ")}]`);

const texts = (names: readonly string[]): string => JSON.stringify([...names].sort());

/** What does not hold at this instant, as a sentence; undefined when everything does. */
function mismatch(twin: Twin, expected: Expected): string | undefined {
  const verdictName = twin.outcome ?? "none";
  const lamps = nameLamps(twin.lamps);
  const refusal = twin.lastRefusal;
  const rows: readonly (readonly [boolean, string])[] = [
    [expected.lamps === undefined || lamps === expected.lamps, `lamps ${expected.lamps} expected, ${lamps} seen`],
    [
      expected.verdict === undefined || verdictName === expected.verdict,
      `verdict ${expected.verdict} expected, ${verdictName} seen${refusal === undefined ? "" : ` (${refusal.reason})`}`,
    ],
    [
      expected.reason === undefined || refusal?.reason === expected.reason,
      `reason ${expected.reason} expected, ${refusal?.reason ?? "none"} seen`,
    ],
    [
      expected.pcrs === undefined || list(refusal?.pcrs) === list(expected.pcrs),
      `PCRs ${list(expected.pcrs)} expected, ${list(refusal?.pcrs)} named`,
    ],
    [
      expected.event === undefined || twin.events.some((event) => event.type === expected.event),
      `event ${expected.event} expected, seen: ${twin.events.map((event) => event.type).join(", ") || "none"}`,
    ],
    [
      expected.log === undefined || twin.log.some((line) => line.message.includes(expected.log ?? "")),
      `no log line holds ${JSON.stringify(expected.log)}`,
    ],
    [
      expected.platforms === undefined || twin.platforms === expected.platforms,
      `${expected.platforms} platforms expected, ${twin.platforms} known`,
    ],
    [
      expected.names === undefined || texts(twin.platformNames) === texts(expected.names),
      `names ${texts(expected.names ?? [])} expected, ${texts(twin.platformNames)} seen`,
    ],
    [
      expected.sessions === undefined || twin.sessions === expected.sessions,
      `${expected.sessions} attested sessions expected, ${twin.sessions} seen`,
    ],
    [
      expected.logs === undefined || twin.keptLogs === expected.logs,
      `${expected.logs} logs expected, ${twin.keptLogs} kept`,
    ],
    [
      expected.files === undefined || twin.files === expected.files,
      `${expected.files} files expected, ${twin.files} stored`,
    ],
  ];
  return rows.find(([holds]) => !holds)?.[1];
}

/** The lamps must go on to show the same for `ms`. */
async function steady(twin: Twin, name: string, ms: number): Promise<string | undefined> {
  const start = twin.pace.clock.now();
  const changed = await twin.pace.until(() => nameLamps(twin.lamps) !== name, ms);
  if (!changed) return undefined;
  return `lamps ${name} expected for ${ms} ms, ${nameLamps(twin.lamps)} after ${twin.pace.clock.now() - start} ms`;
}

/** From the last change of the lamps on: each entry exactly so long, the last one at least so long. */
async function timeline(
  twin: Twin,
  entries: NonNullable<Expected["timeline"]>,
  toleranceMs: number,
): Promise<string | undefined> {
  let at = twin.lampsSince;
  for (const [i, entry] of entries.entries()) {
    const seen = nameLamps(twin.lamps);
    const where = `timeline entry ${i + 1}`;
    if (seen !== entry.lamps) return `${where}: lamps ${entry.lamps} expected, ${seen} seen`;
    const left = at + entry.for - twin.pace.clock.now();
    if (i === entries.length - 1) return steady(twin, entry.lamps, Math.max(0, left));
    const changed = await twin.pace.until(() => nameLamps(twin.lamps) !== entry.lamps, left + toleranceMs);
    if (!changed) return `${where}: lamps ${entry.lamps} for ${entry.for} ms expected, still so after it`;
    const shown = twin.lampsSince - at;
    if (Math.abs(shown - entry.for) > toleranceMs) {
      return `${where}: lamps ${entry.lamps} for ${entry.for} ms expected, ${shown} ms seen`;
    }
    at = twin.lampsSince;
  }
  return undefined;
}

/** Waits as long as the expectation allows; the sentence says what was seen instead. */
export async function checkExpectation(twin: Twin, expected: Expected): Promise<string | undefined> {
  await twin.pace.until(() => mismatch(twin, expected) === undefined, expected.within);
  const problem = mismatch(twin, expected);
  if (problem !== undefined) {
    return expected.within > 0
      ? `${problem}, ${expected.within} ms waited; ${twin.describe()}`
      : `${problem}; ${twin.describe()}`;
  }
  if (expected.timeline !== undefined) return timeline(twin, expected.timeline, twin.pace.toleranceMs);
  return expected.for === undefined ? undefined : steady(twin, nameLamps(twin.lamps), expected.for);
}
