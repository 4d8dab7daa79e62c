/** A process that runs seeds for `npm run sim` and its bench, one at a time, until nobody asks any more. */
import { carryOut, type Errand, type HonestErrand } from "./batch.ts";
import { provisionAndAttest } from "./provision-and-attest.ts";

async function honestly({ honestFrom, count }: HonestErrand): Promise<number> {
  for (let i = 0; i < count; i++) await provisionAndAttest(honestFrom + i);
  return count;
}

process.on("disconnect", () => process.exit(1)); // who asked is gone
process.on("message", async (errand: Errand | HonestErrand) => {
  process.send?.(await ("count" in errand ? honestly(errand) : carryOut(errand))); // what is thrown ends the process, and all with it
});
