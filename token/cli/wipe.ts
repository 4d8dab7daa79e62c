import { wipeAllButRoots } from "../domain/roots.ts";
import { eraseStorage, openStore, StorageError } from "../storage/index.ts";
import { openStateFlash } from "./state.ts";
import { demandState, demandYes } from "./stopped.ts";

export interface WipeArguments {
  readonly state: string;
  readonly yes: boolean;
}

/** Wipes the state of a stopped token. Roots stay, as on a stick; a flash that holds no token's storage is erased whole. */
export async function wipeState({ state, yes }: WipeArguments): Promise<void> {
  demandState(state, "nothing was wiped");
  if (!yes) {
    const question = `Wipe the token in ${state}, with all its keys and platforms?`;
    await demandYes(question, { done: "wipes", undone: "not wiped" });
  }
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
