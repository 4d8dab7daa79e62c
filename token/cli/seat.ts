import { join } from "node:path";
import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import type { Flash, Log } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import type { TokenEnv } from "../env.ts";
import { TOKEN_MAC, type Token } from "../token.ts";
import { profileOf, type RunArguments } from "./arguments.ts";
import { busidOf } from "./bus-options.ts";
import { keyboardButton } from "./hands.ts";
import type { Socket } from "./link.ts";
import { withState } from "./state.ts";
import type { TokenName, View } from "./view.ts";
import { createWatch } from "./watch.ts";

const COMPAT_WARNING =
  "Profile compat: the reference's attestation key is accepted, with which root on the computer can forge quotes; --profile strict refuses it";

/** The reference stick's; a number behind it tells others from the first. */
const SERIAL = "TEST";

/** What tells the tokens of a process apart. */
export interface Place {
  readonly name: TokenName;
  /** Where its flash is. */
  readonly state: string;
  readonly serial: string;
  readonly mac: Uint8Array;
}

/** One place with the state as it was given, or as many as there are sticks, in numbered folders. */
export function placesOf({ state, count, serial = SERIAL }: RunArguments): readonly Place[] {
  if (count === 1) return [{ name: undefined, state, serial, mac: TOKEN_MAC }];
  return Array.from({ length: count }, (_, index) => ({
    name: busidOf(index),
    state: state === "" ? state : join(state, `${index + 1}`),
    serial: index === 0 ? serial : `${serial}-${index + 1}`,
    mac: TOKEN_MAC.with(5, (TOKEN_MAC[5] ?? 0) + index),
  }));
}

/** A token with its lamps, its button and the socket it is plugged into. */
export interface Seat {
  readonly token: Token;
  onEvent(listener: (event: TokenEvent) => void): void;
  /** Where `plug` plugs in; nothing is before. */
  sitDown(socket: Socket): void;
  plug(wanted: boolean): void;
  turn(): void;
  press(): void;
  wipe(): void;
  stop(): void;
}

export function createSeat(
  args: RunArguments,
  place: Place,
  flash: Flash,
  view: View,
  create: (env: TokenEnv, place: Place) => Token,
): Seat {
  const button = keyboardButton();
  const watch = createWatch(args.api, view, () => button.held);
  const { log } = view;
  const env = { clock: realClock, random: systemRandom, flash, leds: watch.leds, log, button: button.port };
  const token = withState(place.state, () => create(env, place));
  watch.begin(token);
  greet(token, args, log);
  let socket: Socket | undefined;
  let plugged = false;
  const plug = (wanted: boolean) => {
    plugged = wanted;
    watch.plugged(wanted);
    if (wanted) socket?.plug();
    else socket?.unplug();
    watch.show();
  };
  return {
    token,
    onEvent(listener) {
      token.onEvent((event) => {
        view.event(event);
        watch.told(event);
        listener(event);
      });
    },
    sitDown(at) {
      socket = at;
    },
    plug,
    turn: () => plug(!plugged),
    press() {
      button.toggle();
      watch.show();
    },
    wipe: () => token.wipe(),
    stop() {
      token.stop();
      watch.stop();
    },
  };
}

function greet({ domain }: Token, args: RunArguments, log: Log): void {
  const id = domain.deviceId ?? "unknown";
  log.write("info", `Device id ${id}, ${domain.provisioned ? "provisioned" : "not provisioned"}`);
  if (profileOf(args) === "compat") log.write("warn", COMPAT_WARNING);
  if (domain.roots.owner() === undefined) {
    log.write("warn", "No owner root is known: give it once with --owner-root FILE");
  }
  if (domain.roots.ek().length === 0) {
    log.write("warn", "No TPM vendor's root is known: give it once with --ek-root FILE");
  }
}
