/** Plays a history on both TPMs, finds where they part, and leaves out what is not needed for it. */
import { VirtualClock } from "../../../../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../../../../hw/tpm/emulator/index.ts";
import { openSwtpm } from "../../../../../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../../../../../hw/tpm/swtpm-control.ts";
import { seededRandom } from "../../../../../support/random.ts";
import { startSwtpm } from "../../../../../support/swtpm.ts";
import { endsHistory, isKnown } from "./known.ts";
import { type Outcome, Player, type Step } from "./step.ts";

export interface Difference {
  readonly index: number;
  readonly step: Step;
  readonly emulator: Outcome;
  readonly swtpm: Outcome;
}

const STARTUP: Step = { kind: "raw", hex: "80010000000c000001440000" };

/** The first step at which the two answer differently, without a reason that is known. */
export async function compare(steps: readonly Step[]): Promise<Difference | undefined> {
  const real = await startSwtpm();
  const transport = await openSwtpm(real.data);
  const control = await openSwtpmControl(real.control);
  const emulated = createTpmEmulator({ random: seededRandom("generated", "emulator"), clock: new VirtualClock() });
  const players = [new Player(emulated.transport, emulated.platform), new Player(transport, control)] as const;
  try {
    await emulated.platform.power("on");
    await control.power("on");
    for (const [index, step] of [STARTUP, ...steps].entries()) {
      const emulator = await outcome(players[0], step);
      const swtpm = await outcome(players[1], step);
      if (emulator.rc === swtpm.rc && emulator.shown === swtpm.shown) continue;
      if (endsHistory(emulator.rc, swtpm.rc)) return undefined;
      if (!isKnown(step, emulator.rc, swtpm.rc)) return { index: index - 1, step, emulator, swtpm };
    }
    return undefined;
  } finally {
    await transport.close();
    await control.close();
    await real.stop();
  }
}

/** An answer that cannot be opened, because its HMAC is wrong for example, is a difference too. */
async function outcome(player: Player, step: Step): Promise<Outcome> {
  try {
    return await player.play(step);
  } catch (error) {
    return { rc: 0, shown: `${error instanceof Error ? error.message : String(error)}` };
  }
}

export function describeDifference({ index, step, emulator, swtpm }: Difference): string {
  const shown = ({ rc, shown: text }: Outcome) => `0x${rc.toString(16).padStart(3, "0")} ${text}`;
  return `step ${index}: ${JSON.stringify(step)}\n  emulator ${shown(emulator)}\n  swtpm    ${shown(swtpm)}`;
}

/** Leaves out halves, quarters, ... as long as a difference remains; what is left, a step a line, with its difference. */
export async function shrink(steps: readonly Step[]): Promise<string> {
  let left = [...steps];
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < left.length; ) {
      const without = [...left.slice(0, from), ...left.slice(from + size)];
      const difference = without.length === 0 ? undefined : await compare(without);
      if (difference === undefined) from += size;
      else left = without.slice(0, difference.index + 1);
    }
  }
  const found = await compare(left);
  return [...left.map((step) => JSON.stringify(step)), found === undefined ? "" : describeDifference(found)].join("\n");
}
