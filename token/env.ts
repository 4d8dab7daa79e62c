import type { Button, Calendar, Clock, Flash, Leds, Log, Random } from "../shared/ports/index.ts";

/** What a token needs to function. Each port keeps its contract whatever the token does. */
export interface TokenEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly flash: Flash;
  readonly leds: Leds;
  readonly log: Log;
  readonly button: Button;
  /** A stick has none; with one, the dates of certificates are judged. */
  readonly calendar?: Calendar | undefined;
}
