/**
 * Takes the steps of state-steps.ts and says each number once it is done: to be killed at any instant. Arguments: the state directory, in
 * which step 0 was taken, and the first number.
 */
import { writeSync } from "node:fs";
import { openStateDirectory } from "../../../../hw/tpm/emulator/index.ts";
import { openSteps } from "./state-steps.ts";

const [directory = "", first = "1"] = process.argv.slice(2);
const steps = openSteps(openStateDirectory(directory));
for (let n = Number(first); n < 1_000_000; n++) {
  steps.take(n);
  writeSync(1, `${n}\n`);
}
