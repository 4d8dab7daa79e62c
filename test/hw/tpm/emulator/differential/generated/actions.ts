/** What a generated history is made of: each action gives the next steps. */

import { episodes } from "./episodes.ts";
import type { Dice, World } from "./generator.ts";
import { keyActions } from "./key-actions.ts";
import { platformActions } from "./platform-actions.ts";
import { sessionActions } from "./session-actions.ts";
import type { Step } from "./step.ts";

export type Action = (dice: Dice, world: World) => readonly Step[];

export const ACTIONS: readonly Action[] = [
  ...keyActions,
  ...sessionActions,
  ...platformActions,
  ...episodes,
  ...episodes,
];
