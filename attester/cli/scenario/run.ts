import type { Twin } from "../twin/twin.ts";
import { bootFiles } from "./boot-files.ts";
import { checkExpectation } from "./expect.ts";
import { platformOf } from "./platform.ts";
import type { Scenario, Step, StepName, StepValue } from "./schema.ts";

const PROVISIONING_LIMIT_MS = 120_000;
const ATTESTATION_LIMIT_MS = 120_000;
const REPLUG_MS = 200;

export interface ScenarioResult {
  readonly scenario: Scenario;
  /** File, line, step and what was seen instead; absent when the scenario held. */
  readonly failure?: string;
  readonly twinMs: number;
  readonly wallMs: number;
}

/** A step that could not be carried through, or an expectation that did not hold: a sentence. */
class StepFailure extends Error {}

type Carry<N extends StepName> = (twin: Twin, value: StepValue<N>, scenario: Scenario) => Promise<void>;

async function plug(twin: Twin): Promise<void> {
  if (!twin.plugged) twin.plug();
}

async function waitForEvent(twin: Twin, event: "token-provisioned" | "platform-provisioned"): Promise<void> {
  const done = () => twin.events.some((seen) => seen.type === event);
  if (!(await twin.pace.until(done, PROVISIONING_LIMIT_MS))) {
    throw new StepFailure(`no ${event} within ${PROVISIONING_LIMIT_MS / 1000} s; ${twin.describe()}`);
  }
}

const carriers: { readonly [N in StepName]: Carry<N> } = {
  async plug(twin) {
    twin.forgetEvents();
    await plug(twin);
  },
  async unplug(twin) {
    twin.unplug();
  },
  async boot(twin, value, scenario) {
    twin.forgetEvents();
    if (value.platform !== undefined) twin.platform = platformOf(value.platform, scenario.file);
    await twin.boot(bootFiles(value, scenario), value);
  },
  shutdown: (twin) => twin.shutdown(),
  async provision(twin, value) {
    await plug(twin);
    await waitForEvent(twin, value === "token" ? "token-provisioned" : "platform-provisioned");
  },
  async attest(twin) {
    twin.forgetEvents();
    twin.unplug();
    await twin.pace.advance(REPLUG_MS);
    twin.plug();
    if (!(await twin.pace.until(() => twin.verdict !== undefined, ATTESTATION_LIMIT_MS))) {
      throw new StepFailure(`no verdict within ${ATTESTATION_LIMIT_MS / 1000} s; ${twin.describe()}`);
    }
  },
  async press(twin, ms) {
    twin.forgetEvents();
    twin.holdButton(true);
    await twin.pace.advance(ms);
    twin.holdButton(false);
    await twin.pace.advance(0);
  },
  "cut-power": (twin, value) => (value === "token" ? twin.cutTokenPower() : twin.cutTpmPower()),
  owner: async (twin, value) => (value === "start" ? twin.startOwner() : twin.stopOwner()),
  attester: (twin, value) => (value === "start" ? twin.startAttester() : twin.stopAttester()),
  async frames(twin, faults) {
    twin.setFaults(faults);
  },
  wait: (twin, ms) => twin.pace.advance(ms),
  async expect(twin, expected) {
    const problem = await checkExpectation(twin, expected);
    if (problem !== undefined) throw new StepFailure(problem);
  },
};

function carry<N extends StepName>(twin: Twin, name: N, value: StepValue<N>, scenario: Scenario): Promise<void> {
  return carriers[name](twin, value, scenario);
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
      await carry(twin, step.name, step.value as never, scenario);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      return result(`${scenario.file}:${step.line}: step ${i + 1} (${step.name}): ${error.message}`);
    }
  }
  return result();
}
