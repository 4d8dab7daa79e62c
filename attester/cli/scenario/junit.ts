import { junitReport as report } from "../junit.ts";
import type { ScenarioResult } from "./run.ts";

/** The results as a JUnit test suite, one test case for each scenario. */
export function junitReport(results: readonly ScenarioResult[]): string {
  return report(
    "fobnail scenarios",
    results.map(({ scenario, wallMs, failure }) => ({
      classname: "scenario",
      name: scenario.name,
      file: scenario.file,
      seconds: wallMs / 1000,
      ...(failure === undefined ? {} : { failure }),
    })),
  );
}
