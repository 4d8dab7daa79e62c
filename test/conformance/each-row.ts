import assert from "node:assert/strict";
import { isFor, profileNames } from "./row.ts";
import { rows } from "./rows/index.ts";
import { runRow } from "./runner.ts";
import { emulatedTarget } from "./target/emulated.ts";
import type { EmulatorLink } from "./target/emulator.ts";

/** A test for each row in each profile: on this program's own token every one of them passes. */
export function describeEachRow(link: EmulatorLink, where: string): void {
  for (const profile of profileNames) {
    describe(`conformance of ${profile} over ${where}`, () => {
      for (const row of rows.filter((one) => isFor(one, profile))) {
        it(`${row.id} ${row.title}`, async () => {
          const { outcome, detail } = await runRow(row, await emulatedTarget({ link, profile }));
          assert.equal(outcome, "pass", detail);
        });
      }
    });
  }
}
