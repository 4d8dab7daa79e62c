import { isFor, type ProfileName, type Row } from "./row.ts";
import { rows } from "./rows/index.ts";

/** The rows of a profile, or those of them whose id begins with one of `wanted`. */
export function chosenRows(profile: ProfileName, wanted: readonly string[] = []): readonly Row[] {
  const ours = rows.filter((row) => isFor(row, profile));
  return wanted.length === 0 ? ours : ours.filter(({ id }) => wanted.some((text) => id.startsWith(text.toUpperCase())));
}

/** Which of `wanted` name no row of any profile. */
export function unknownRows(wanted: readonly string[]): readonly string[] {
  return wanted.filter((text) => !rows.some(({ id }) => id.startsWith(text.toUpperCase())));
}

/** For a token that stays: rows that need a blank one first, those that give it an owner last among them. */
export function inOrder(chosen: readonly Row[]): readonly Row[] {
  const rank = ({ state, provisions = false }: Row) => (state !== "blank" ? 2 : provisions ? 1 : 0);
  return chosen.toSorted((a, b) => rank(a) - rank(b));
}
