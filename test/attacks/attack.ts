import type { ProfileName, State } from "../conformance/row.ts";
import type { Scene } from "../conformance/scene.ts";

/** One thing that somebody hostile does to a token, with the honest way beside it, which shows that the attack could have worked. */
export interface Attack {
  /** Two letters of the family and two digits; docs/security.md has a row of this name. */
  readonly id: string;
  /** What the attacker does. */
  readonly title: string;
  /** What the attacker is to get, see `meets`. */
  readonly expected: string;
  /** What the honest way is to get in the same scene, after the attack. */
  readonly honest: string;
  /** strict unless said. */
  readonly profile?: ProfileName;
  /** What the token knows before; enrolled unless said. */
  readonly state?: State;
  /** What the attacker got: a code with its sentence, or a measured fact. Throws Unmet where it did not come to the attack. */
  attack(scene: Scene): Promise<string>;
  control(scene: Scene): Promise<string>;
}

/** Whether `got` is `expected`, or begins with it and goes on with a detail. */
export function meets(got: string, expected: string): boolean {
  return got === expected || (got.startsWith(expected) && /^[:;,]? /.test(got.slice(expected.length)));
}
