import { createInterface } from "node:readline/promises";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { wipeAllButRoots } from "../domain/roots.ts";
import { eraseStorage, openStore, StorageError } from "../storage/index.ts";
import { hasState, openStateFlash } from "./state.ts";

export interface WipeArguments {
  readonly state: string;
  readonly yes: boolean;
}

/** Wipes the state of a stopped token. Roots stay, as on a stick; a flash that holds no token's storage is erased whole. */
export async function wipeState({ state, yes }: WipeArguments): Promise<void> {
  if (!hasState(state)) throw new Stop(Exit.Usage, `${state} holds no token's state: nothing was wiped`);
  if (!yes) await confirm(state);
  const flash = openStateFlash(state);
  try {
    try {
      wipeAllButRoots(openStore(flash));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      eraseStorage(flash);
    }
  } finally {
    flash.close();
  }
  console.log(`${state}: wiped`);
}

async function confirm(state: string): Promise<void> {
  if (process.stdin.isTTY !== true)
    throw new Stop(Exit.Usage, "there is no terminal to ask on: --yes wipes without asking");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`Wipe the token in ${state}, with all its keys and platforms? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new Stop(Exit.Refused, "not wiped");
  } finally {
    terminal.close();
  }
}
