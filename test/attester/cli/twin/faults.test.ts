import assert from "node:assert/strict";
import { faultInjector, NO_FAULTS } from "../../../../attester/cli/twin/faults.ts";
import { seededRandom } from "../../../support/random.ts";

const FRAME = Uint8Array.of(1, 2, 3);

describe("twin: faults of the link", () => {
  it("begin after so many frames that way", () => {
    const { fault, set } = faultInjector(seededRandom(1));
    set({ ...NO_FAULTS, lose: 1, toward: "computer", after: 2 });
    const deliveries = (direction: "send" | "receive") => fault(FRAME, direction).length;
    assert.deepEqual([deliveries("send"), deliveries("send"), deliveries("send")], [1, 1, 1]);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => deliveries("receive")),
      [1, 1, 0, 0],
    );
    set(NO_FAULTS);
    assert.equal(deliveries("receive"), 1);
  });

  it("strike the next so many frames, then none", () => {
    const { fault, set } = faultInjector(seededRandom(1));
    set({ ...NO_FAULTS, double: { next: 2 } });
    assert.deepEqual(
      [1, 2, 3].map(() => fault(FRAME, "send").length),
      [2, 2, 1],
    );
    set({ ...NO_FAULTS, damage: { next: 1 } });
    assert.notDeepEqual(fault(FRAME, "send")[0]?.frame, FRAME);
    assert.deepEqual(fault(FRAME, "send")[0]?.frame, FRAME);
  });
});
