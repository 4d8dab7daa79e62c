import type { Twin } from "../twin/twin.ts";
import { bootFiles } from "./boot-files.ts";
import { checkExpectation } from "./expect.ts";
import { platformOf } from "./platform.ts";
import type { Api, Scenario, StepName, StepValue } from "./schema.ts";

/** A step that could not be carried through, or an expectation that did not hold: a sentence. */
export class StepFailure extends Error {}

type Carry<N extends StepName<A>, A extends Api> = (
  twin: Twin,
  value: StepValue<N, A>,
  scenario: Scenario,
) => Promise<void>;

/** One function for each of these steps. */
export type CarriersOf<A extends Api, N extends StepName<A> = StepName<A>> = { readonly [K in N]: Carry<K, A> };

export async function plugIn(twin: Twin): Promise<void> {
  if (!twin.plugged) twin.plug();
}

/** The steps that both APIs have. */
export const commonCarriers = {
  async plug(twin) {
    twin.forgetEvents();
    await plugIn(twin);
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
  async press(twin, ms) {
    twin.forgetEvents();
    twin.holdButton(true);
    await twin.pace.advance(ms);
    twin.holdButton(false);
    await twin.pace.advance(0);
  },
  async "cut-power"(twin, what) {
    if (what === "tpm") await twin.cutTpmPower();
    else if (what === "token") twin.cutTokenPower();
    else twin.cutTokenPowerAfter(what["token-after"]);
  },
  async frames(twin, faults) {
    twin.setFaults(faults);
  },
  wait: (twin, ms) => twin.pace.advance(ms),
  async expect(twin, expected) {
    const problem = await checkExpectation(twin, expected);
    if (problem !== undefined) throw new StepFailure(problem);
  },
} satisfies CarriersOf<"v0", StepName<"v0"> & StepName<"v1"> & CommonName>;

type CommonName = Exclude<StepName<"v0">, "provision" | "attest">;
