/**
 * `npm run test:all`: everything, one part after the other, each with its time. Stops at the first part that fails. With CI
 * set, a skipped or focused test is a failure; the programs that tests need must be installed.
 */
import { spawnSync } from "node:child_process";

const FUZZ_INPUTS = "100000";
/** Twenty times the inputs take twenty times as long. */
const TEST_TIMEOUT_MS = "600000";

const ci = process.env["CI"] !== undefined && process.env["CI"] !== "";
const strict = ci ? ["--forbid-only", "--forbid-pending"] : [];

const parts: readonly (readonly [name: string, command: string, args: readonly string[], env?: NodeJS.ProcessEnv])[] = [
  ["build", "npm", ["run", "--silent", "build"]],
  ["format", "npm", ["run", "--silent", "format:check"]],
  ["lint", "npm", ["run", "--silent", "lint"]],
  ["types", "npm", ["run", "--silent", "types"]],
  ["unused code", "npm", ["run", "--silent", "unused"]],
  ["scenarios", "npm", ["run", "--silent", "scenarios"]],
  ["demo in real time", process.execPath, ["dist/fobnail.js", "demo"]],
  [
    "tests",
    "npx",
    ["mocha", "--parallel", "--jobs", "2", "--timeout", TEST_TIMEOUT_MS, ...strict, "test/**/*.test.ts"],
    { FOBNAIL_FUZZ: FUZZ_INPUTS },
  ],
];

const times: string[] = [];
for (const [name, command, args, env] of parts) {
  console.log(`== ${name}`);
  const start = performance.now();
  const { status, error } = spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...env } });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  times.push(`${name}: ${seconds} s`);
  console.log(`== ${name}: ${seconds} s`);
  if (status !== 0) {
    console.error(`== ${name} failed${error === undefined ? "" : `: ${error.message}`}`);
    process.exit(status ?? 1);
  }
}
console.log(`== all parts passed\n${times.join("\n")}`);
