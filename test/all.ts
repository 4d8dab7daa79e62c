/**
 * `npm run test:all`: everything, one part after the other, each with its time. Stops at the first part that fails. With
 * `--tested` what `npm test` has just run is left out, but for the tests that count inputs, which get many more. With CI set, a
 * skipped or focused test is a failure; the programs that tests need must be installed.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** To each decoder and each receiver. */
const FUZZ_INPUTS = "200000";
/** Many more than `npm test` runs: some 100 s of two cores. */
const SIMULATED_SEEDS = "1..2000";
/** Forty times the inputs take forty times as long. */
const TEST_TIMEOUT_MS = "900000";

const tested = process.argv.includes("--tested");

/** The test files that count inputs of their own, such as streams; what feeds decoders is left to `npm run fuzz`. */
function countingTests(): readonly string[] {
  return readdirSync("test", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join("test", file))
    .filter((file) => /fuzzedInputs\(|fuzzInputs \//.test(readFileSync(file, "utf8")))
    .sort();
}

type Part = readonly [name: string, command: string, args: readonly string[], env?: NodeJS.ProcessEnv];

const mocha = ["mocha", "--parallel", "--jobs", "2"];
const counting: Part = [
  `tests that count inputs, ${FUZZ_INPUTS} inputs`,
  "npx",
  [...mocha, "--timeout", TEST_TIMEOUT_MS, ...countingTests()],
  { FOBNAIL_FUZZ: FUZZ_INPUTS },
];

const parts: readonly Part[] = [
  ["build", "npm", ["run", "--silent", "build"]],
  ["format", "npm", ["run", "--silent", "format:check"]],
  ["lint", "npm", ["run", "--silent", "lint"]],
  ["types", "npm", ["run", "--silent", "types"]],
  ["unused code", "npm", ["run", "--silent", "unused"]],
  ["scenarios", "npm", ["run", "--silent", "scenarios"]],
  ["simulation", "npm", ["run", "--silent", "sim", "--", "--seeds", SIMULATED_SEEDS]],
  ["fuzzing", "npm", ["run", "--silent", "fuzz", "--", "--inputs", FUZZ_INPUTS]],
  ...(tested
    ? []
    : ([
        ["demo in real time", process.execPath, ["dist/fobnail.js", "demo"]],
        ["tests", "npx", [...mocha, "test/**/*.test.ts"]],
      ] as const)),
  counting,
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
