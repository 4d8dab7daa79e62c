/** What it takes to start: whole processes of the built package, beside a Node that has nothing to do. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { Process } from "../support/process.ts";
import { type Bench, type Figure, medianOf, type Note, type Probe, type Result } from "./bench.ts";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["fobnail.ts", "shared", "token", "attester", "hw"];

const DEMO = "fobnail demo --fast";
const TOKEN = "fobnail token";
const NODE = { what: "node", way: "an empty program, ended" };
const DONE = "to its end";
const READY = "until it listens";
/** Long enough that what a start leaves to do is done. */
const IDLE_MS = 500;
const MB = 1 << 20;

/** The program that `npm run build` makes in a package; throws when it is not there, or older than a source. */
export function builtProgram(folder = PACKAGE): string {
  const program = join(folder, "dist", "fobnail.js");
  const built = statSync(program, { throwIfNoEntry: false });
  if (built === undefined) throw new Stop(Exit.Usage, "there is no dist/fobnail.js to be measured: npm run build");
  const newer = SOURCES.flatMap((name) => sourceFiles(folder, name)).find(
    (file) => statSync(file).mtimeMs > built.mtimeMs,
  );
  if (newer !== undefined) throw new Stop(Exit.Usage, `dist/ is older than ${relative(folder, newer)}: npm run build`);
  return program;
}

function sourceFiles(folder: string, name: string): readonly string[] {
  const path = join(folder, name);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(path, file));
}

/** Bytes of a process in memory; undefined where there is no /proc. */
function residentBytes(pid: number): number | undefined {
  try {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A program that ends by itself, and well. */
function toItsEnd(what: string, way: string, command: readonly string[]): Probe {
  return {
    what,
    way,
    async run() {
      const started = new Process([], { command, stdin: "closed" });
      const code = await started.ended;
      if (code !== 0) throw new Error(`${what} ended with ${code}\n${started.said()}`);
    },
  };
}

/** A token until it tells where it listens; what it takes in memory some time later goes to `resident`. */
function untilListening(program: string, state: string, resident: number[]): Probe {
  const args = ["token", "--port", "0", "--json", "--state", state];
  let started: Process | undefined;
  return {
    what: TOKEN,
    way: READY,
    async run() {
      started = new Process(args, { command: [process.execPath, program] });
      await started.line(/"type":"listening"/);
    },
    async after() {
      if (started === undefined) return;
      await new Promise<void>((resolve) => void realClock.after(IDLE_MS, resolve));
      const bytes = residentBytes(started.pid);
      if (bytes !== undefined) resident.push(bytes);
      await started.kill("SIGTERM");
    },
  };
}

function medianBytes(resident: readonly number[]): number | undefined {
  return resident.toSorted((a, b) => a - b)[Math.floor(resident.length / 2)];
}

function figuresOf(results: readonly Result[], resident: readonly number[]): readonly Figure[] {
  const seconds = medianOf(results, DEMO, DONE) / 1000;
  const bytes = medianBytes(resident);
  const memory = bytes === undefined ? [] : [{ figure: "fobnail token, idle: RSS", value: bytes / MB, unit: "MB", goal: { atMost: 70 } }]; // biome-ignore format: one figure
  return [
    { figure: "fobnail demo --fast, from the start of the process", value: seconds, unit: "s", goal: { atMost: 1 } },
    { figure: "fobnail token to ready", value: medianOf(results, TOKEN, READY), unit: "ms", goal: { atMost: 150 } },
    ...memory,
  ];
}

/** Measures the program that `find` gives. */
export function startOf(find: () => string): Bench {
  return {
    name: "start",
    about: "whole processes of dist/ (npm run build), from their start",
    iterations: 5,
    async open() {
      const program = find();
      const state = mkdtempSync(join(tmpdir(), "fobnail-start-"));
      const resident: number[] = [];
      const none: Note = { what: "There is no /proc here: the memory of a token was not measured." };
      return {
        probes: [
          toItsEnd(NODE.what, NODE.way, [process.execPath, "--eval", "0"]),
          untilListening(program, state, resident),
          toItsEnd(DEMO, DONE, [process.execPath, program, "demo", "--fast"]),
        ],
        figures: (results) => figuresOf(results, resident),
        notes: () => (resident.length === 0 ? [none] : []),
        close: async () => rmSync(state, { recursive: true }),
      };
    },
  };
}

export const start: Bench = startOf(() => builtProgram());
