import type { Twin } from "../twin/twin.ts";
import { type CarriersOf, commonCarriers, plugIn, StepFailure } from "./carry.ts";

const PROVISIONING_LIMIT_MS = 120_000;
const ATTESTATION_LIMIT_MS = 120_000;
const REPLUG_MS = 200;

async function waitForEvent(twin: Twin, event: "token-provisioned" | "platform-provisioned"): Promise<void> {
  const done = () => twin.events.some((seen) => seen.type === event);
  if (!(await twin.pace.until(done, PROVISIONING_LIMIT_MS))) {
    throw new StepFailure(`no ${event} within ${PROVISIONING_LIMIT_MS / 1000} s; ${twin.describe()}`);
  }
}

/** The token asks: steps let it, and wait. */
export const v0Carriers: CarriersOf<"v0"> = {
  ...commonCarriers,
  async provision(twin, value) {
    await plugIn(twin);
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
  owner: async (twin, value) => (value === "start" ? twin.startOwner() : twin.stopOwner()),
  attester: (twin, value) => (value === "start" ? twin.startAttester() : twin.stopAttester()),
};
