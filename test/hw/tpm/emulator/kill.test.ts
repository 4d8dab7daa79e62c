/** kill -9 at any instant: the state directory of a TPM holds what was answered, or what was under way, whole. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStateDirectory } from "../../../../hw/tpm/emulator/index.ts";
import { decodeNvState } from "../../../../hw/tpm/emulator/state.ts";
import { TEST_PROGRAMS_FOLDER } from "../../../support/built.ts";
import { Process } from "../../../support/process.ts";
import { seededRandom } from "../../../support/random.ts";
import { type Kept, keptAfter, keptIn, openSteps } from "./state-steps.ts";

const KILLS = 200;
/** Two at a time, each with a directory of its own. */
const DIRECTORIES = 2;
/** A step takes about a millisecond, so that a kill falls into any part of it. */
const MAX_DELAY_MS = 12;
const WRITER = `${TEST_PROGRAMS_FOLDER}/hw/tpm/emulator/state-writer`;

describe("a TPM process that is killed", () => {
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-tpm-kill-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it(`${KILLS} times while it writes NV, a persistent key and its clock keeps the old or the new values`, async function () {
    this.timeout(180_000);
    const inOne = KILLS / DIRECTORIES;
    const all = await Promise.all(
      Array.from({ length: DIRECTORIES }, (_, i) => killAgain(join(folder, `${i}`), inOne)),
    );
    const steps = all.reduce((sum, { done }) => sum + done, 0);
    const under = all.reduce((sum, { newer }) => sum + newer, 0);
    console.log(`      ${KILLS} kills in ${steps} steps; ${under} fell between a step's effect and its answer`);
    assert.ok(steps > KILLS);
  });
});

interface Killed {
  readonly done: number;
  /** How often the step was kept that had not been answered. */
  readonly newer: number;
}

async function killAgain(directory: string, times: number): Promise<Killed> {
  const random = seededRandom(directory.slice(-1), "kill");
  prepare(directory);
  let [done, newer] = [0, 0];
  for (let i = 0; i < times; i++) {
    const answered = await writeUntilKilled(directory, done + 1, ((random.bytes(1)[0] ?? 0) * MAX_DELAY_MS) / 256);
    const kept = keptBy(directory);
    done = [answered, answered + 1].find((n) => same(keptAfter(n), kept)) ?? fail(answered, kept);
    if (done !== answered) newer++;
  }
  return { done, newer };
}

function prepare(directory: string): void {
  const state = openStateDirectory(directory);
  openSteps(state).take(0);
  state.close();
}

/** The last step that was answered. */
async function writeUntilKilled(directory: string, first: number, delayMs: number): Promise<number> {
  const writer = new Process([directory, `${first}`], { program: WRITER, stdin: "closed" });
  await writer.line(/^\d+$/);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  assert.equal(await writer.kill(), "SIGKILL", writer.said());
  return Number(writer.lines.at(-1));
}

/** Throws when the directory cannot be had or its state not be read. */
function keptBy(directory: string): Kept {
  const store = openStateDirectory(directory);
  try {
    for (const file of readdirSync(directory)) assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file);
    return keptIn(decodeNvState(store.load() ?? assert.fail("there is no state")));
  } finally {
    store.close();
  }
}

const same = (one: Kept, other: Kept) => one.nv === other.nv && one.key === other.key && one.clock === other.clock;

function fail(answered: number, { nv, key, clock }: Kept): never {
  assert.fail(`after step ${answered} the state holds NV ${nv}, the key ${key}, the clock ${clock}`);
}
