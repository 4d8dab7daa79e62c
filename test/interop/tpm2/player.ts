/** Plays stories to a TPM behind swtpm's sockets, and tells how each step went. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StreamAddress } from "../../../hw/tpm/stream-channel.ts";
import { openSwtpmControl } from "../../../hw/tpm/swtpm-control.ts";
import { fromHex, toHex } from "../../../shared/bytes/index.ts";
import { TEST_PROGRAMS_FOLDER } from "../../support/built.ts";
import { commandLine } from "../../support/process.ts";
import type { ChipsetStep, FileContent, FileStep, Story, ToolStep, Verdict } from "./story.ts";

/** A TPM that a story is told to: fresh from the factory, after TPM2_Startup. */
export interface StoryTpm {
  readonly data: StreamAddress;
  readonly control: StreamAddress;
  stop(): Promise<void>;
}

/** How one tool fared. */
export interface Told {
  readonly step: ToolStep;
  readonly verdict: Verdict;
  /** What it printed, and what it complained of. */
  readonly printed: string;
  readonly complaint: string;
}

const PIPE = `${TEST_PROGRAMS_FOLDER}/interop/tpm2/pipe`;
const TOOL_WITHIN_MS = 30_000;

/** The tools' steps, in order. Each step is taken, whatever became of the one before. */
export async function playStory({ steps }: Story, tpm: StoryTpm): Promise<readonly Told[]> {
  const folder = mkdtempSync(join(tmpdir(), "fobnail-story-"));
  const told: Told[] = [];
  let locality = 0;
  try {
    for (const step of steps) {
      if (step.kind === "tool") told.push(await runTool(step, tctiOf(tpm.data, locality), folder));
      else if (step.kind === "file") putFile(step, folder);
      else if (step.kind === "chipset") await moveChipset(step, tpm.control);
      else locality = step.locality;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return told;
}

/** For a locality the commands go through a program of ours: the tools' own way to swtpm knows only 0. */
function tctiOf(at: StreamAddress, locality: number): string {
  if (locality === 0) return "path" in at ? `swtpm:path=${at.path}` : `swtpm:host=${at.host},port=${at.port}`;
  const where = "path" in at ? [at.path] : [at.host, `${at.port}`];
  return `cmd:${commandLine([`${locality}`, ...where], { program: PIPE }).join(" ")}`;
}

function runTool(step: ToolStep, tcti: string, cwd: string): Promise<Told> {
  const [program = "", ...args] = step.line.split(" ").map((word) => resolved(word, cwd));
  const env = { ...process.env, TPM2TOOLS_TCTI: tcti, TSS2_LOG: "all+error" };
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { cwd, env, timeout: TOOL_WITHIN_MS }, (error, printed, complaint) => {
      if (error !== null && (typeof error.code === "string" || error.killed === true)) {
        reject(new Error(`${step.line}: ${error.message}`, { cause: error }));
        return;
      }
      resolve({ step, verdict: error === null ? "ok" : refusalIn(complaint), printed, complaint });
    });
    child.stdin?.end();
  });
}

/** `hex:FILE` is what the file holds, in hex. */
function resolved(word: string, folder: string): string {
  const [, name] = /^hex:(.+)$/.exec(word) ?? [];
  if (name === undefined) return word;
  try {
    return toHex(new Uint8Array(readFileSync(join(folder, name))));
  } catch {
    return word; // the step that was to make it failed
  }
}

/** The TSS tells the response code of the first command that failed. */
function refusalIn(complaint: string): Verdict {
  const [, code] = /ErrorCode \(0x0*([0-9A-Fa-f]+)\)/.exec(complaint) ?? [];
  return code === undefined ? "refused" : `0x${code.toLowerCase()}`;
}

async function moveChipset({ launch, power }: ChipsetStep, at: StreamAddress): Promise<void> {
  const chipset = await openSwtpmControl(at);
  try {
    if (launch !== undefined) await chipset.hashSequence(new TextEncoder().encode(launch));
    if (power !== undefined) await chipset.power(power);
  } finally {
    await chipset.close();
  }
}

function putFile({ name, content }: FileStep, folder: string): void {
  writeFileSync(join(folder, name), "damaged" in content ? damagedCopy(content, folder) : bytesOf(content));
}

function bytesOf(content: Exclude<FileContent, { damaged: string }>): Uint8Array {
  if ("text" in content) return new TextEncoder().encode(content.text);
  const bytes = fromHex(content.hex);
  if (bytes === undefined) throw new Error(`not in hex: ${content.hex}`);
  return bytes;
}

function damagedCopy({ damaged, at }: Extract<FileContent, { damaged: string }>, folder: string): Uint8Array {
  const copy = new Uint8Array(readFileSync(join(folder, damaged)));
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
