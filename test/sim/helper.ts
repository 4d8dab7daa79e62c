/** A process that runs seeds for `npm run sim`, one at a time, until nobody asks any more. */
import { carryOut, type Errand } from "./batch.ts";

process.on("message", async (errand: Errand) => {
  process.send?.(await carryOut(errand)); // what is thrown ends the process, and with it `npm run sim`
});
