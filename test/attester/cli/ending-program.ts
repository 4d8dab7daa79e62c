/** A program that ends in the way its argument names; once it has cleaned up, the second argument is a file. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Exit, runProgram, Stop, untilSignal } from "../../../attester/cli/exit.ts";

const WRITES = 20;

/** Each of them fails once nobody reads on. */
async function writeOn(): Promise<void> {
  for (let i = 0; i < WRITES; i++) {
    console.log(`line ${i}`);
    await sleep(10);
  }
}

async function cleanUp(file: string): Promise<void> {
  await writeOn();
  writeFileSync(file, "");
}

/** Cleans up on a signal. */
async function untilTold(file: string, meanwhile: () => void, mayRelease = false): Promise<void> {
  const { signal, release } = untilSignal();
  const alive = setInterval(() => console.log("runs"), 10);
  meanwhile();
  await signal;
  clearInterval(alive);
  if (mayRelease) release();
  await cleanUp(file);
  release();
}

function throwSoon(error = new Error("in a timer")): void {
  setTimeout(() => {
    throw error;
  }, 20);
}

const never = () => sleep(60_000);

const ways: Readonly<Record<string, (file: string) => Promise<void>>> = {
  "until told": (file) => untilTold(file, () => undefined),
  "until told, signals given back": (file) => untilTold(file, () => undefined, true),
  "cleans up for ever": async () => {
    const { signal } = untilSignal();
    console.log("runs");
    await Promise.race([signal, never()]);
    console.log("cleans up");
    await never();
  },
  "without listening": (file) => cleanUp(file),
  "throws in a timer": (file) => untilTold(file, throwSoon),
  "throws twice": (file) =>
    untilTold(file, () => {
      throwSoon();
      throwSoon(new Error("another"));
    }),
  "rejects unhandled": (file) => untilTold(file, () => void Promise.reject(new Error("of nobody"))),
  "throws without listening": async () => {
    throwSoon();
    await never();
  },
  "throws a sentence": async () => {
    throwSoon(new Stop(Exit.Unreached, "the stick is gone"));
    await never();
  },
  "throws and never finishes": async () => {
    untilSignal();
    throwSoon();
    await never();
  },
};

const program = new Command("ending")
  .argument("<way>")
  .argument("<file>")
  .action((way: string, file: string) => ways[way]?.(file));

process.exitCode = await runProgram(program, process.argv.slice(2));
