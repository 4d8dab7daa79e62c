/** The first seed from 1 to the one named that does not hold: `npm run sim` would go on, and shorten what it found. */
import { runSeed } from "../sim/run.ts";

const last = Number(process.argv[2]);
let found = "all hold";
for (let seed = 1; seed <= last && found === "all hold"; seed++) {
  const { violation } = await runSeed(seed);
  if (violation !== undefined) found = `seed ${seed}: ${violation}`;
}
console.log(found);
