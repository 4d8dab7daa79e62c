import { realClock } from "../../hw/clock/real.ts";
import type { Row } from "./row.ts";
import { Scene, sceneRandom } from "./scene.ts";
import type { Target } from "./target/target.ts";
import { NotHere, Unmet } from "./unmet.ts";

export type Outcome = "pass" | "fail" | "not-applicable";

export interface RowResult {
  readonly row: Row;
  readonly outcome: Outcome;
  /** What was seen instead, or why the row cannot be tried here. */
  readonly detail?: string;
  readonly ms: number;
}

/** One row on a fresh stage of the target. What is neither Unmet nor NotHere is a bug and rejects. */
export async function runRow(row: Row, target: Target): Promise<RowResult> {
  const began = realClock.now();
  const result = (outcome: Outcome, detail?: string): RowResult => ({
    row,
    outcome,
    ms: realClock.now() - began,
    ...(detail === undefined ? {} : { detail }),
  });
  try {
    await onStage(row, target);
    return result("pass");
  } catch (error) {
    if (error instanceof Unmet) return result("fail", error.message);
    if (error instanceof NotHere) return result("not-applicable", error.message);
    throw new Error(`${row.id}: ${String(error)}`, { cause: error });
  }
}

async function onStage(row: Row, target: Target): Promise<void> {
  const stage = await target.stage(row);
  try {
    const scene = await Scene.on(target, stage, sceneRandom(row.id));
    try {
      await row.run(scene);
    } finally {
      await scene.close();
    }
  } finally {
    await stage.close();
  }
}
