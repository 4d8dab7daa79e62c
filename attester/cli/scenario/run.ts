import type { Twin } from "../twin/twin.ts";
import { StepFailure } from "./carry.ts";
import { v0Carriers } from "./carry-v0.ts";
import { v1Carriers } from "./carry-v1.ts";
import type { Scenario, Step } from "./schema.ts";

export interface ScenarioResult {
  readonly scenario: Scenario;
  /** File, line, step and what was seen instead; absent when the scenario held. */
  readonly failure?: string;
  readonly twinMs: number;
  readonly wallMs: number;
}

type Carriers = Readonly<Record<string, ((twin: Twin, value: never, scenario: Scenario) => Promise<void>) | undefined>>;

function carry(twin: Twin, { name, value }: Step, scenario: Scenario): Promise<void> {
  const carriers: Carriers = scenario.api === "v0" ? v0Carriers : v1Carriers;
  const carrier = carriers[name];
  if (carrier === undefined) throw new Error(`api ${scenario.api} has no step ${name}`); // the file was checked
  return carrier(twin, value as never, scenario);
}

/** Runs every step in order and stops at the first that fails. The twin is the caller's to close. */
export async function runScenario(
  scenario: Scenario,
  twin: Twin,
  wallNow: () => number,
  onStep: (step: Step, number: number) => void = () => undefined,
): Promise<ScenarioResult> {
  const start = wallNow();
  const startMs = twin.pace.clock.now();
  const result = (failure?: string): ScenarioResult => ({
    scenario,
    twinMs: twin.pace.clock.now() - startMs,
    wallMs: wallNow() - start,
    ...(failure === undefined ? {} : { failure }),
  });
  for (const [i, step] of scenario.steps.entries()) {
    onStep(step, i + 1);
    try {
      await carry(twin, step, scenario);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      return result(`${scenario.file}:${step.line}: step ${i + 1} (${step.name}): ${error.message}`);
    }
  }
  return result();
}
