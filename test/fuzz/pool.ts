/** Workers that take tasks from one list; one that hangs, crashes or runs out of memory is a failure of what it was at. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Failure, Outcome } from "./campaign.ts";
import { readJournal } from "./journal.ts";
import { limits } from "./limits.ts";
import { BEAT, type Done, type Task } from "./task.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));

class Hand {
  #worker: ChildProcess | undefined;

  /** Never rejects: what ends the worker ends the task with a failure. It is fed once more, each input written down, to see which one it was. */
  async perform(task: Task): Promise<Done> {
    try {
      return await this.#answer(task);
    } catch (error) {
      const folder = mkdtempSync(join(tmpdir(), "fobnail-fuzz-"));
      try {
        return await this.#again(task, join(folder, "journal"), error);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  }

  close(): void {
    this.#worker?.kill();
  }

  async #again(task: Task, journal: string, first: unknown): Promise<Done> {
    try {
      const { outcome, found } = await this.#answer({ ...task, journal });
      const failure = { what: `${String(first)}, but not again`, input: "", number: outcome.inputs, alone: false };
      return { outcome: { ...outcome, failure }, found };
    } catch (error) {
      const { number, input } = readJournal(journal);
      const hex = Buffer.from(input).toString("hex");
      const failure: Failure = { what: String(error), input: hex, number, alone: !task.remembers };
      return { outcome: gaveUp(task, failure), found: [] };
    }
  }

  #start(): ChildProcess {
    const { stackKb, heapMb } = limits;
    const options = [...process.execArgv, `--stack-size=${stackKb}`, `--max-old-space-size=${heapMb}`];
    return fork(WORKER, { execArgv: options, stdio: ["ignore", "ignore", "ignore", "ipc"] });
  }

  #answer(task: Task): Promise<Done> {
    const worker = this.#worker ?? this.#start();
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#worker = undefined;
        worker.kill("SIGKILL");
        end(() => reject(new Error(`no end within ${limits.hangMs / 1_000} s`)));
      };
      let watch = setTimeout(giveUp, limits.hangMs);
      const onMessage = (message: Done | typeof BEAT) => {
        if (message !== BEAT) return end(() => resolve(message));
        clearTimeout(watch);
        watch = setTimeout(giveUp, limits.hangMs);
      };
      const onExit = (code: number | null, signal: string | null) => {
        this.#worker = undefined;
        end(() => reject(new Error(`the process ended with ${signal ?? code}`)));
      };
      const end = (settle: () => void) => {
        clearTimeout(watch);
        worker.off("message", onMessage).off("exit", onExit);
        settle();
      };
      worker.on("message", onMessage).on("exit", onExit);
      worker.send(task);
    });
  }
}

function gaveUp({ name }: Task, failure: Failure): Outcome {
  return { name, inputs: failure.number, accepted: 0, seconds: 0, slowestMs: 0, grownBytes: 0, corpus: 0, failure };
}

/** Calls `onDone` as each ends; resolves when all have. */
export async function performAll(
  tasks: readonly Task[],
  jobs: number,
  onDone: (done: Done, task: Task) => void,
): Promise<void> {
  const waiting = [...tasks];
  const work = async () => {
    const hand = new Hand();
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) onDone(await hand.perform(task), task);
    hand.close();
  };
  await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, work));
}
