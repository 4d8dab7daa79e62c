/** Results as JUnit XML, for whatever reads such reports. */

export interface JunitCase {
  readonly classname: string;
  readonly name: string;
  readonly file?: string;
  readonly seconds: number;
  /** What was seen instead; absent when the case held. */
  readonly failure?: string;
  /** Why the case was not tried. */
  readonly skipped?: string;
}

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

function caseXml({ classname, name, file, seconds, failure, skipped }: JunitCase): string {
  const where = file === undefined ? "" : ` file="${escapeXml(file)}"`;
  const head = `  <testcase classname="${escapeXml(classname)}" name="${escapeXml(name)}"${where} time="${seconds.toFixed(3)}"`;
  if (failure !== undefined) return `${head}>\n    <failure message="${escapeXml(failure)}"/>\n  </testcase>`;
  if (skipped !== undefined) return `${head}>\n    <skipped message="${escapeXml(skipped)}"/>\n  </testcase>`;
  return `${head}/>`;
}

/** One test suite. */
export function junitReport(suite: string, cases: readonly JunitCase[]): string {
  const failed = cases.filter(({ failure }) => failure !== undefined).length;
  const skipped = cases.filter((one) => one.skipped !== undefined).length;
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0).toFixed(3);
  const skips = skipped === 0 ? "" : ` skipped="${skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${escapeXml(suite)}" tests="${cases.length}" failures="${failed}"${skips} time="${seconds}">`,
    ...cases.map(caseXml),
    "</testsuite>",
    "",
  ].join("\n");
}
