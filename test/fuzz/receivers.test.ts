/** Those that take what strangers send: nothing of it makes them throw, and afterwards they do their work. */
import assert from "node:assert/strict";
import { campaign } from "./campaign.ts";
import { receivers } from "./receivers/index.ts";

/** `npm run fuzz` feeds more. */
const INPUTS = 4_000;

describe("under whatever strangers send", () => {
  for (const target of receivers) {
    it(`${target.name}: answers or refuses, and does its work afterwards`, async function () {
      this.timeout(120_000);
      const { failure, inputs, accepted } = await campaign(target, { inputs: INPUTS, seconds: 100, seed: 0 });
      assert.equal(failure, undefined);
      assert.equal(inputs, INPUTS);
      assert.ok(accepted > 0 && accepted < inputs, `${accepted} taken`);
    });
  }
});
