import { realClock } from "../../hw/clock/real.ts";
import type { Lamps, Leds, Unsubscribe } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import type { Token } from "../token.ts";
import type { Api } from "./arguments.ts";
import { NOTHING_TOLD, nextTold } from "./told.ts";
import type { View } from "./view.ts";

/** Longer than the dark half of a blink. */
const BETWEEN_BLINKS_MS = 250;

/** Keeps what a view needs to say what the lamps mean, and shows it whenever that changes. */
export interface Watch {
  /** The token's lamps. */
  readonly leds: Leds;
  /** From now on there is something to show. */
  begin(token: Token): void;
  told(event: TokenEvent): void;
  /** To be shown with what follows from it. */
  plugged(now: boolean): void;
  show(): void;
  stop(): void;
}

export function createWatch(api: Api, view: View, held: () => boolean): Watch {
  let lamps: Lamps = { green: false, red: false };
  let plugged = false;
  let attached = false;
  let told = NOTHING_TOLD;
  let verdictShows = false;
  let stayedDark: Unsubscribe = () => undefined;
  let token: Token | undefined;

  const show = () => {
    if (token === undefined) return;
    const { provisioned, platforms } = token.domain;
    const nameOf = ({ id }: { readonly id: string }) => platforms.nameOf(id);
    view.situation({ api, plugged, attached, provisioned, held: held(), lamps, verdictShows, told, nameOf });
  };
  const shown: Record<Api, () => void> = {
    v0() {
      stayedDark();
      if (lamps.green || lamps.red) return;
      stayedDark = realClock.after(BETWEEN_BLINKS_MS, () => {
        verdictShows = false;
        show();
      });
    },
    v1() {
      verdictShows &&= lamps.red;
    },
  };
  return {
    leds: {
      show(now) {
        lamps = now;
        shown[api]();
        queueMicrotask(show); // the event that lit them is told in the same turn
      },
    },
    begin(made) {
      token = made;
    },
    told(event) {
      told = nextTold(told, event);
      if (event.type === "attached" || event.type === "detached") attached = event.type === "attached";
      if (api === "v0") verdictShows = event.type === "attested" || event.type === "attestation-failed";
      else if (event.type === "attestation-failed") verdictShows = true;
      show();
    },
    plugged(now) {
      plugged = now;
    },
    show,
    stop: () => stayedDark(),
  };
}
