import type { Clock, Lamps, Leds } from "../shared/ports/index.ts";
import type { TokenEvent } from "./domain/events.ts";
import type { LedEvent } from "./led/event.ts";
import { initialLeds, lampsAt, next, nextChangeAt } from "./led/machine.ts";

const LED_EVENTS: ReadonlySet<string> = new Set<LedEvent["type"]>([
  "token-provisioned",
  "platform-provisioned",
  "platform-refused",
  "attested",
  "attestation-failed",
  "attested-sessions",
  "attached",
  "detached",
  "wiped",
]);

function isLedEvent(event: { readonly type: string }): event is LedEvent {
  return LED_EVENTS.has(event.type);
}

/** Unplugged at first. Shows the LED machine's view on the lamps: on every event and at every instant at which it changes, never twice the same. */
export function runLamps(api: "v0" | "v1", provisioned: boolean, clock: Clock, leds: Leds) {
  // Whole milliseconds: the sums and remainders of fractions are off by a trifle, and a change that is due would never come to be past.
  const wholeMs = () => Math.floor(clock.now());
  let state = next(initialLeds(api, provisioned, wholeMs()), { type: "detached" }, wholeMs());
  let shown: Lamps | undefined;
  let cancel: () => void = () => undefined;

  const show = (): void => {
    cancel();
    const now = wholeMs();
    const lamps = lampsAt(state, now);
    if (shown?.green !== lamps.green || shown.red !== lamps.red) {
      shown = lamps;
      leds.show(lamps);
    }
    const change = nextChangeAt(state, now);
    cancel = change === undefined ? () => undefined : clock.after(change - now, show);
  };
  show();

  return {
    /** Events that no lamp shows are passed over. */
    tell(event: TokenEvent): void {
      if (!isLedEvent(event)) return;
      state = next(state, event, wholeMs());
      show();
    },
    stop(): void {
      cancel();
      if (shown?.green === true || shown?.red === true) leds.show({ green: false, red: false });
    },
  };
}
