import { createColors } from "picocolors";
import type { Lamps } from "../../shared/ports/index.ts";

/** Colours are an extra: position, letter and shape tell the lamps apart without them. */
export interface LampStyle {
  readonly colors: boolean;
}

/**
 * The two lamps as one line: green left, red right. A lit lamp is a filled circle with an upper-case letter in brackets,
 * a dark one an empty circle with a lower-case letter.
 */
export function drawLamps(lamps: Lamps, { colors }: LampStyle): string {
  const paint = createColors(colors);
  const green = lamps.green ? paint.green(paint.bold("[G ●]")) : paint.dim(" g ○ ");
  const red = lamps.red ? paint.red(paint.bold("[R ●]")) : paint.dim(" r ○ ");
  return `${green}  ${red}`;
}

/** The lamps for a log line: `green`, `red`, `green+red` or `dark`. */
export function nameLamps(lamps: Lamps): string {
  const lit = [...(lamps.green ? ["green"] : []), ...(lamps.red ? ["red"] : [])];
  return lit.length === 0 ? "dark" : lit.join("+");
}
