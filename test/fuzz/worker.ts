/** Feeds one target after another, in a process with a small stack and a limited heap. */
import { realClock } from "../../hw/clock/real.ts";
import { campaign, type Watch } from "./campaign.ts";
import { guide } from "./guided.ts";
import { openJournal } from "./journal.ts";
import { targets } from "./targets.ts";
import { BEAT, type Done, type Task } from "./task.ts";

const BEAT_MS = 1_000;
/** The clock is asked so often. */
const BEAT_INPUTS = 32;

/** Tells the program that it gets on; ends when that is gone, of which nothing is heard while inputs are fed. */
function beating(send: (message: typeof BEAT) => void): Watch {
  let [fed, last] = [0, 0];
  const program = process.ppid;
  return () => {
    if (++fed % BEAT_INPUTS !== 0 || realClock.now() - last < BEAT_MS) return;
    last = realClock.now();
    if (process.ppid !== program) process.exit(1);
    send(BEAT);
  };
}

async function perform({ name, guided, journal: file, inputs, seconds, seed }: Task, beat: Watch): Promise<Done> {
  const target = targets.find((known) => known.name === name);
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const journal = file === undefined ? undefined : openJournal(file);
  const amount = { inputs, seconds, seed };
  const watch: Watch = (input) => {
    beat(input);
    journal?.write(input);
  };
  try {
    if (guided && !target.remembers) return await guide(target, amount, watch);
    return { outcome: await campaign(target, amount, watch), found: [] };
  } finally {
    journal?.close();
  }
}

const send = process.send?.bind(process);
if (send !== undefined) {
  const beat = beating(send);
  let last = Promise.resolve();
  process.on("message", (task: Task) => {
    last = last.then(async () => void send(await perform(task, beat)));
  });
}
