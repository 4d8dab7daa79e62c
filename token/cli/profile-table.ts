import { tableOf } from "../../attester/owner/cli/table.ts";
import { jsonLine } from "../../hw/terminal/json.ts";
import { profileRows } from "../domain/profile.ts";
import type { ProfileName } from "./arguments.ts";

const shown = (setting: string | number | boolean): string =>
  typeof setting === "boolean" ? { true: "yes", false: "no" }[`${setting}`] : String(setting);

/** `--print-profile`: the rows that tell the profiles apart, and which setting is chosen. */
export function printProfile(chosen: ProfileName, json: boolean): void {
  const rows = Object.entries(profileRows).map(([name, row]) => ({ name, ...row }));
  if (json) {
    const facts = rows.map((row) => ({ ...row, chosen: row[chosen] }));
    console.log(jsonLine({ profile: chosen, rows: facts }));
    return;
  }
  const head = (name: ProfileName) => (name === chosen ? `*${name.toUpperCase()}` : name.toUpperCase());
  const cells = rows.map(({ name, deviation, about, strict, compat }) => [name, deviation, shown(strict), shown(compat), about]); // biome-ignore format: one row
  console.log(tableOf(["ROW", "DEVIATION", head("strict"), head("compat"), "ABOUT"], cells));
  console.log(`\n* profile ${chosen} is chosen. Deviations are told in docs/deviations.md.`);
}
