/** Seeds over several processes. What is printed depends on the seeds alone: neither on how many processes there are nor on who is first. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { failureLines } from "./report.ts";
import { runSeed } from "./run.ts";
import { shrink } from "./shrink.ts";

/** What a helping process is asked for: the run of a seed, */
export interface Errand {
  readonly seed: number;
  readonly only?: readonly number[] | undefined;
  readonly trace: boolean;
}

/** or the honest way so often, from this seed on. */
export interface HonestErrand {
  readonly honestFrom: number;
  readonly count: number;
}

/** What one seed came to. */
export interface Report {
  readonly seed: number;
  readonly held: boolean;
  readonly greenAfterMs: number;
  /** To be printed. */
  readonly lines: readonly string[];
}

export async function carryOut({ seed, only, trace }: Errand): Promise<Report> {
  const result = await runSeed(seed, { only });
  const lines = trace ? [...result.trace, `digest of seed ${seed}: ${result.digest}`] : [];
  const held = result.violation === undefined;
  if (!held) lines.push(...failureLines(await shrink(result, { only })));
  return { seed, held, greenAfterMs: result.greenAfterMs ?? 0, lines };
}

/** Every report in the order of the errands, as soon as those before it are there. Rejects when a helping process dies. */
export async function carryOutAll(
  errands: Iterable<Errand>,
  jobs: number,
  tell: (report: Report) => void,
): Promise<void> {
  const left = errands[Symbol.iterator]();
  const done: (Report | undefined)[] = [];
  let [given, told] = [0, 0];
  const helpers = jobs === 1 ? [] : Array.from({ length: jobs }, startHelper);
  const work = async (how: (errand: Errand) => Promise<Report>): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const place = given++;
      done[place] = await how(next.value);
      for (let report = done[told]; report !== undefined; report = done[told]) {
        tell(report);
        done[told++] = undefined;
      }
    }
  };
  try {
    await Promise.all(
      jobs === 1 ? [work(carryOut)] : helpers.map((helper) => work((errand) => ask<Report>(helper, errand))),
    );
  } finally {
    for (const helper of helpers) helper.kill();
  }
}

/** Every core has a process that computes: threads that help one of them to collect garbage are in the way of the others. */
export function startHelper(): ChildProcess {
  const execArgv = [...process.execArgv, "--single-threaded-gc"];
  return fork(fileURLToPath(new URL("./helper.ts", import.meta.url)), { execArgv });
}

/** Rejects when it dies. */
export function ask<Answer>(helper: ChildProcess, errand: Errand | HonestErrand): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null) => reject(new Error(`a process of the simulation ended with ${code}`));
    helper.once("exit", died);
    helper.once("message", (answer) => {
      helper.off("exit", died);
      resolve(answer as Answer);
    });
    helper.send(errand);
  });
}
