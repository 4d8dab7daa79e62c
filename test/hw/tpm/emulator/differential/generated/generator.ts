/** A history of commands that a seed decides: most of them good, the rest broken in one of the usual ways. */
import { seededRandom } from "../../../../../support/random.ts";
import { ACTIONS } from "./actions.ts";
import type { Auth, CommandStep, Step } from "./step.ts";

/** What was started before: references only, that need not be alive. */
export interface World {
  readonly objects: string[];
  readonly parents: string[];
  readonly blobs: string[];
  readonly sessions: string[];
  readonly policies: string[];
  readonly contexts: string[];
  readonly tickets: string[];
  readonly sequences: string[];
  count: number;
}

export interface Dice {
  below(max: number): number;
  chance(percent: number): boolean;
  pick<T>(all: readonly T[]): T;
}

function diceOf(seed: string): Dice {
  const random = seededRandom(seed, "generated commands");
  const below = (max: number) => {
    const bytes = random.bytes(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % max;
  };
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick(all) {
      const one = all[below(all.length)];
      if (one === undefined) throw new RangeError("nothing to choose from");
      return one;
    },
  };
}

/** Handles of every kind, most of them wrong wherever they stand. */
const HANDLES = [
  ..."40000001 40000007 40000009 4000000a 4000000b 4000000c 00000010 00000011 00000017 00000018".split(" "),
  ..."80000000 80000001 80000002 80000003 81000001 81000002 81800001 01000001 01000002 01c00002".split(" "),
  ..."02000000 02000001 03000000 03000001 0300003f 02000040 90000000".split(" "),
];

export function generate(seed: string, count: number): readonly Step[] {
  const dice = diceOf(seed);
  const world: World = {
    objects: [],
    parents: [],
    blobs: [],
    sessions: [],
    policies: [],
    contexts: [],
    tickets: [],
    sequences: [],
    count: 0,
  };
  const steps: Step[] = [];
  while (steps.length < count) {
    const made = dice.pick(ACTIONS)(dice, world);
    steps.push(...made.map((step) => (step.kind === "command" && dice.chance(9) ? broken(step, dice, world) : step)));
  }
  return steps.slice(0, count);
}

/** The step with one thing wrong. */
function broken(step: CommandStep, dice: Dice, world: World): Step {
  const [first, ...others] = step.auths;
  switch (dice.below(9)) {
    case 0:
      return { ...step, cut: 1 + dice.below(12) };
    case 1:
      return { ...step, append: "00".repeat(1 + dice.below(3)) };
    case 2: {
      const n = dice.below(Math.max(1, step.handles.length));
      return { ...step, handles: step.handles.map((handle, i) => (i === n ? dice.pick(HANDLES) : handle)) };
    }
    case 3:
      return first === undefined
        ? step
        : { ...step, auths: [withAuth(first, dice.pick(["", "aa", "bbcc", "00"])), ...others] };
    case 4:
      return { ...step, auths: others };
    case 5:
      return { ...step, auths: [...step.auths, session(dice, world, [0x01, 0x21, 0x41, 0x61, 0x81, 0x00])] };
    case 6:
      return first === undefined
        ? step
        : { ...step, auths: [session(dice, world, [0x01, 0x21, 0x41, 0x81, 0x83, 0x85, 0x08]), ...others] };
    case 7:
      return {
        ...step,
        command: dice.pick(["NV_Read", "Sign", "PCR_Extend", "Unseal", "PolicyPCR", "Certify"]),
        compare: "code",
      };
    default:
      return { ...step, auths: step.auths.map((auth) => withAuth(auth, dice.pick(["aabb", "aa"]))) };
  }
}

function withAuth(auth: Auth, value: string): Auth {
  return "password" in auth ? { password: value } : { ...auth, auth: value };
}

/** A session that may be alive, and what it is to do. */
export function session(dice: Dice, world: World, attributes: readonly number[], auth = ""): Auth {
  const all = [...world.sessions, ...world.policies];
  const known = all.length > 0 && dice.chance(80);
  // What a session that is not known here encrypts cannot be opened.
  const may = known ? attributes : attributes.filter((bits) => (bits & 0x60) === 0);
  return { session: known ? dice.pick(all) : dice.pick(["02000000", "03000000"]), attributes: dice.pick(may), auth };
}

/** How the owner of an authValue shows it: by password mostly, or in an HMAC session, which may encrypt or audit. */
export function authOf(
  dice: Dice,
  world: World,
  value: string,
  attributes: readonly number[] = [1, 1, 1, 0, 0x81],
): Auth {
  const last = world.sessions.at(-1);
  if (last === undefined || dice.chance(65)) return { password: value };
  return { session: last, attributes: dice.pick(attributes), auth: value };
}
