import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a judge says of a tree: who noticed something; nobody did when it is empty. */
export type Noticed = readonly string[];

/** Rejects nothing: throws when it could not judge. */
export type Judge = (folder: string) => Noticed;

interface Run {
  readonly status: number | null;
  readonly text: string;
  readonly timedOut: boolean;
}

/** A program of the tree, in source, behind everything else that this computer does. */
function run(folder: string, limitMs: number, args: readonly string[]): Run {
  const command = ["-n", "10", process.execPath, "--import", "tsx", ...args];
  const { status, stdout, stderr, error } = spawnSync("nice", command, { cwd: folder, encoding: "utf8", timeout: limitMs, killSignal: "SIGKILL", maxBuffer: 1 << 26 }); // biome-ignore format: one call
  const timedOut = error !== undefined && "code" in error && error.code === "ETIMEDOUT";
  if (error !== undefined && !timedOut) throw error;
  return { status, text: `${stdout}${stderr}`, timedOut };
}

const endless = (limitMs: number): Noticed => [`no end within ${limitMs / 1000} s`];

function fault(what: string, { status, text }: Run): Error {
  return new Error(`${what} gave no result, exit code ${status}\n${text.slice(-2000)}`);
}

/** The names of the tests that fail. */
export function byTests(tests: readonly string[], limitMs = 300_000): Judge {
  return (folder) => {
    const scratch = mkdtempSync(join(tmpdir(), "fobnail-judge-"));
    const report = join(scratch, "report.json");
    const files = tests.map((path) => (statSync(join(folder, path)).isDirectory() ? `${path}/**/*.test.ts` : path));
    try {
      const args = ["node_modules/mocha/bin/mocha.js", "--no-config", "--extension", "ts", "--timeout", "20000"];
      const ran = run(folder, limitMs, [...args, "--reporter", "json", "--reporter-option", `output=${report}`, ...files]); // biome-ignore format: one call
      if (ran.timedOut) return endless(limitMs);
      if (!existsSync(report)) throw fault("the tests", ran);
      const { stats, failures }: { stats: { tests: number }; failures: readonly { fullTitle: string }[] } = JSON.parse(readFileSync(report, "utf8")); // biome-ignore format: one shape
      if (stats.tests === 0) throw fault("no test", ran);
      return failures.map(({ fullTitle }) => fullTitle);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  };
}

/** The ids of the attacks that do not get what is expected. */
export function byAttacks(limitMs = 300_000): Judge {
  return (folder) => {
    const ran = run(folder, limitMs, ["test/attacks/main.ts"]);
    if (ran.timedOut) return endless(limitMs);
    const ids = [...ran.text.matchAll(/^FAIL {2}(\S+)/gm)].map(([, id = ""]) => id);
    if (ids.length === 0 && ran.status !== 0) throw fault("the attacks", ran);
    return ids;
  };
}

/** The first of the seeds 1 to `last` that does not hold, with the reason. */
export function bySimulation(last: number, limitMs = 300_000): Judge {
  return (folder) => {
    const ran = run(folder, limitMs, ["test/mutations/first-seed.ts", String(last)]);
    if (ran.timedOut) return endless(limitMs);
    const [, seed] = /^(seed \d+: .*|all hold)$/m.exec(ran.text) ?? [];
    if (seed === undefined) throw fault("the simulation", ran);
    return seed === "all hold" ? [] : [seed];
  };
}
