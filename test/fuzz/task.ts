/** What passes between the program and its workers. */
import type { Amount, Outcome } from "./campaign.ts";

export interface Task extends Amount {
  readonly name: string;
  /** As the target's. */
  readonly remembers: boolean;
  /** Looks for inputs that reach new code, in place of only feeding. */
  readonly guided: boolean;
  /** A file that each input is written to before it is fed: for the second time, when the first ended the worker. */
  readonly journal?: string;
}

/** From a worker, after each task; with the inputs that a guided one found. */
export interface Done {
  readonly outcome: Outcome;
  /** Hexadecimal. */
  readonly found: readonly string[];
}

/** From a worker now and then, as long as it gets on. */
export const BEAT = "beat";
