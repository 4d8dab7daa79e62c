import { realClock } from "../../hw/clock/real.ts";
import type { Row } from "../conformance/row.ts";
import { Scene, sceneRandom } from "../conformance/scene.ts";
import { emulatedTarget } from "../conformance/target/emulated.ts";
import type { Target } from "../conformance/target/target.ts";
import { Unmet } from "../conformance/unmet.ts";
import { type Attack, meets } from "./attack.ts";

export interface AttackResult {
  readonly attack: Attack;
  readonly got: string;
  readonly honest: string;
  /** The attacker got what is expected, and the honest way works. */
  readonly ok: boolean;
  readonly ms: number;
}

/** What is not an answer of the token but a sentence about it: a step before the attack failed. */
async function seen(step: () => Promise<string>): Promise<string> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof Unmet) return `no attack: ${error.message}`;
    throw error;
  }
}

/** One attack and its control, on a token of its own at the other end of the emulated stick's USB. */
export async function runAttack(attack: Attack, target?: Target): Promise<AttackResult> {
  const began = realClock.now();
  const { id, title, profile = "strict", state = "enrolled" } = attack;
  const where = target ?? (await emulatedTarget({ link: "usb", profile }));
  const row: Row = { id, title, source: "docs/security.md", state, run: async () => undefined };
  const stage = await where.stage(row);
  try {
    const scene = await Scene.on(where, stage, sceneRandom(id));
    try {
      const got = await seen(() => attack.attack(scene));
      const honest = await seen(() => attack.control(scene));
      const ok = meets(got, attack.expected) && meets(honest, attack.honest);
      return { attack, got, honest, ok, ms: realClock.now() - began };
    } finally {
      await scene.close();
    }
  } finally {
    await stage.close();
  }
}
