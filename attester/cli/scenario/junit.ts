import type { ScenarioResult } from "./run.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

function escapeXml(text: string): string {
  const printable = [...text].filter((c) => c === "\n" || c === "\t" || c >= " ").join("");
  return printable.replace(/[&<>"']/g, (c) => ESCAPES[c] ?? c);
}

/** The results as a JUnit test suite, one test case for each scenario. */
export function junitReport(results: readonly ScenarioResult[]): string {
  const cases = results.map((result) => {
    const head = `  <testcase classname="scenario" name="${escapeXml(result.scenario.name)}" file="${escapeXml(result.scenario.file)}" time="${(result.wallMs / 1000).toFixed(3)}"`;
    if (result.failure === undefined) return `${head}/>`;
    return `${head}>\n    <failure message="${escapeXml(result.failure)}"/>\n  </testcase>`;
  });
  const failed = results.filter((result) => result.failure !== undefined).length;
  const seconds = (results.reduce((sum, result) => sum + result.wallMs, 0) / 1000).toFixed(3);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="fobnail scenarios" tests="${results.length}" failures="${failed}" time="${seconds}">`,
    ...cases,
    "</testsuite>",
    "",
  ].join("\n");
}
