import type { Scene } from "./scene.ts";

export const profileNames = ["strict", "compat"] as const;
export type ProfileName = (typeof profileNames)[number];

/** What the token knows when a row begins: nothing, its owner, or a platform as well. */
export type State = "blank" | "owned" | "enrolled";

/**
 * What else a row needs to be tried.
 * `lamps`: the target shows them. `software-tpm`: keys that sign whatever the row wants, and EK certificates of any shape. `tpm`: a TPM as it is,
 * emulated or not. `owner-root`: the key of the owner's root, to make bad chains with. `power`: the token can be switched off and on.
 * `small-flash`: a token whose storage is soon full.
 */
export type Need = "lamps" | "software-tpm" | "tpm" | "owner-root" | "power" | "small-flash";

/** One thing that a token does, seen from outside. */
export interface Row {
  /** Two letters and two digits: TP-03. */
  readonly id: string;
  /** What the row proves, as a sentence about the token. */
  readonly title: string;
  /** Chapter of docs/api.md or docs/blink-codes.md, or section of a standard. */
  readonly source: string;
  /** Both unless said. */
  readonly profiles?: readonly ProfileName[];
  readonly state: State;
  readonly needs?: readonly Need[];
  /** The token has an owner afterwards: on a token that stays, one such row can be tried. */
  readonly provisions?: boolean;
  /** Throws Unmet. */
  run(scene: Scene): Promise<void>;
}

export const STRICT_ONLY: readonly ProfileName[] = ["strict"];
export const COMPAT_ONLY: readonly ProfileName[] = ["compat"];

export function isFor(row: Row, profile: ProfileName): boolean {
  return (row.profiles ?? profileNames).includes(profile);
}
