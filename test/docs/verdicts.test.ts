import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chainRefusals } from "../../shared/x509/index.ts";
import { appraisalRefusals, enrolmentRefusals, logRefusals, tokenRefusals } from "../../token/domain/reasons.ts";

describe("docs/verdicts.md", () => {
  const [attestation = "", platform = "", token = "", chain = "", attester = "", events = ""] = readFileSync(
    "docs/verdicts.md",
    "utf8",
  )
    .split(/^## /m)
    .slice(1);

  const named = (section: string): string[] => {
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    const words = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z-]+)`/g)]);
    return [...new Set(words.map((match) => match[1] ?? ""))].sort(); // a reason may stand in two tables of a section
  };

  /** The words of a union type of strings, or of its `type`, as the source has them. */
  const wordsOf = (file: string, type: string): string[] => {
    const declared =
      readFileSync(file, "utf8")
        .split(`export type ${type} =`)[1]
        ?.split(/;\n\n|;\n$/)[0] ?? "";
    return [...declared.matchAll(/(?:^ {2}\| |readonly type: )"([a-z-]+)"/gm)].map((match) => match[1] ?? "");
  };

  for (const [what, section, reasons] of [
    ["attestation", attestation, Object.keys(appraisalRefusals)],
    ["platform provisioning", platform, Object.keys({ ...enrolmentRefusals, ...logRefusals })],
    ["token provisioning", token, Object.keys(tokenRefusals)],
    ["certificate chains", chain, [...chainRefusals]],
    ["the attester", attester, wordsOf("attester/flows/outcome.ts", "RefusalReason")],
    ["the token's events", events, wordsOf("token/domain/events.ts", "TokenEvent")],
  ] as const) {
    it(`lists the words of ${what}, all of them and no other`, () => {
      assert.deepEqual(named(section), [...reasons].sort());
    });
  }
});
