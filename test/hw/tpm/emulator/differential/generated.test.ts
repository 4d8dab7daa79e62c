import assert from "node:assert/strict";
import { needs } from "../../../../support/programs.ts";
import { generate } from "./generated/generator.ts";
import { compare, describeDifference, shrink } from "./generated/shrink.ts";

/** Histories, and commands of each. */
const HISTORIES = Number(process.env["FOBNAIL_HISTORIES"] ?? 12);
const COMMANDS = 100;
const SEED = process.env["FOBNAIL_SEED"] ?? "fobnail";

describe("emulator and swtpm: generated histories", () => {
  for (let n = 0; n < HISTORIES; n++) {
    const seed = `${SEED} ${n}`;
    it(`go the same way in both: seed "${seed}"`, async function () {
      needs(this, "swtpm");
      this.timeout(120_000);
      const steps = generate(seed, COMMANDS);
      const difference = await compare(steps);
      if (difference === undefined) return;
      const small = await shrink(steps.slice(0, difference.index + 1));
      assert.fail(`${describeDifference(difference)}\nshortest history that shows a difference:\n${small}`);
    });
  }
});
