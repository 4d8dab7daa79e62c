import { existsSync } from "node:fs";
import { join } from "node:path";
import { realCalendar } from "../../../hw/clock/real.ts";
import { writeNewFiles } from "../../../hw/files/new-files.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { Exit, Stop } from "../../cli/exit.ts";
import { initOwner, type OwnerKeyKind, ownerFileNames } from "../init.ts";

/** Makes a new owner. Files that are there are refused (1); a folder that cannot be filled is a mistake in the command (2). */
export function init(folder: string, { name, key }: { readonly name: string; readonly key: OwnerKeyKind }): void {
  const taken = ownerFileNames.map((file) => join(folder, file)).find((path) => existsSync(path));
  if (taken !== undefined) throw new Stop(Exit.Refused, `${taken} is there already and is not overwritten`);
  writeNewFiles(folder, initOwner({ name, key }, systemRandom, realCalendar));
  console.log(`${join(folder, "chain.pem")}: root, intermediate, issuing CA`);
  console.log(`${join(folder, "key.pem")}: key of the issuing CA`);
  console.log(`${join(folder, "root.pem")}: for the tokens (--owner-root)`);
  console.log(`${join(folder, "root-key.pem")}, intermediate-key.pem: not needed to provision; keep them elsewhere`);
}
