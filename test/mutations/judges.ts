import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** What a judge says of a tree: who noticed something; nobody did when it is empty. */
export type Noticed = readonly string[];

/** Rejects when it could not judge, or when `ended` came first. */
export type Judge = (folder: string, ended?: AbortSignal) => Promise<Noticed>;

interface Run {
  readonly status: number | null;
  readonly text: string;
  readonly timedOut: boolean;
}

/** What the promise of `execFile` rejects with when the program did not end with 0. */
interface Failed extends Error {
  readonly code?: number | string | null;
  readonly killed?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}

const start = promisify(execFile);

/** A program of the tree, in source, behind everything else that this computer does. */
async function run(folder: string, limitMs: number, args: readonly string[], signal?: AbortSignal): Promise<Run> {
  const command = ["-n", "10", process.execPath, "--import", "tsx", ...args];
  try {
    const { stdout, stderr } = await start("nice", command, { cwd: folder, encoding: "utf8", timeout: limitMs, killSignal: "SIGKILL", maxBuffer: 1 << 26, signal }); // biome-ignore format: one call
    return { status: 0, text: `${stdout}${stderr}`, timedOut: false };
  } catch (error) {
    signal?.throwIfAborted();
    const { code, killed, stdout, stderr } = error as Failed;
    const timedOut = killed === true && code === null;
    if (typeof code !== "number" && !timedOut) throw error;
    return { status: typeof code === "number" ? code : null, text: `${stdout}${stderr}`, timedOut };
  }
}

const endless = (limitMs: number): Noticed => [`no end within ${limitMs / 1000} s`];

function fault(what: string, { status, text }: Run): Error {
  return new Error(`${what} gave no result, exit code ${status}\n${text.slice(-2000)}`);
}

/** The names of the tests that fail. */
export function byTests(tests: readonly string[], limitMs = 300_000): Judge {
  return async (folder, ended) => {
    const scratch = mkdtempSync(join(tmpdir(), "fobnail-judge-"));
    const report = join(scratch, "report.json");
    const files = tests.map((path) => (statSync(join(folder, path)).isDirectory() ? `${path}/**/*.test.ts` : path));
    try {
      const args = ["node_modules/mocha/bin/mocha.js", "--no-config", "--extension", "ts", "--timeout", "20000"];
      const ran = await run(folder, limitMs, [...args, "--reporter", "json", "--reporter-option", `output=${report}`, ...files], ended); // biome-ignore format: one call
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
  return async (folder, ended) => {
    const ran = await run(folder, limitMs, ["test/attacks/main.ts"], ended);
    if (ran.timedOut) return endless(limitMs);
    const ids = [...ran.text.matchAll(/^FAIL {2}(\S+)/gm)].map(([, id = ""]) => id);
    if (ids.length === 0 && ran.status !== 0) throw fault("the attacks", ran);
    return ids;
  };
}

/** The first of the seeds 1 to `last` that does not hold, with the reason. */
export function bySimulation(last: number, limitMs = 300_000): Judge {
  return async (folder, ended) => {
    const ran = await run(folder, limitMs, ["test/mutations/first-seed.ts", String(last)], ended);
    if (ran.timedOut) return endless(limitMs);
    const [, seed] = /^(seed \d+: .*|all hold)$/m.exec(ran.text) ?? [];
    if (seed === undefined) throw fault("the simulation", ran);
    return seed === "all hold" ? [] : [seed];
  };
}
