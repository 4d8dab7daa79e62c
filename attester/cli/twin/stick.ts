import { createMemoryUsbHost, type MemoryUsbHost } from "../../../hw/usb-host/memory.ts";
import type { Flash, FrameLink, Lamps, Log } from "../../../shared/ports/index.ts";
import type { TokenEvent } from "../../../token/domain/events.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import { ATTESTER_PEER, createToken, type Token } from "../../../token/token.ts";
import type { TwinOptions } from "./options.ts";
import { OWNER_PORT } from "./v0-services.ts";

/** One life of the stick: the firmware on its flash, from power to power. It begins out of its port. */
export interface Stick {
  readonly token: Token;
  readonly bus: MemoryUsbHost;
  press(held: boolean): void;
  /** Power fails: it computes on until it is stopped, and nobody sees or hears it any more. */
  goSilent(): void;
}

/** Who sees and hears the stick. */
export interface Witness {
  readonly log: Log;
  lamps(lamps: Lamps): void;
  event(event: TokenEvent): void;
}

export function createStick(options: TwinOptions, flash: Flash, witness: Witness): Stick {
  const { api, profile, owner, ekRoot, pace, clocks, random } = options;
  let isSilent = false;
  let press: (held: boolean) => void = () => undefined;
  const heard = (tell: () => void): void => {
    if (!isSilent) tell();
  };
  const env = {
    clock: clocks?.token ?? pace.clock,
    random: random("token"),
    flash,
    log: { write: (...line: Parameters<Log["write"]>) => heard(() => witness.log.write(...line)) },
    leds: { show: (lamps: Lamps) => heard(() => witness.lamps(lamps)) },
    button: {
      onChange: (listener: (held: boolean) => void) => {
        press = listener;
        return () => undefined;
      },
    },
  };
  const token = createToken(env, {
    api,
    profile: profileNamed(profile),
    owner: { address: ATTESTER_PEER.address, port: OWNER_PORT },
    ownerRoot: owner.root,
    ekRoots: [ekRoot],
  });
  token.onEvent((event) => heard(() => witness.event(event)));
  return {
    token,
    bus: createMemoryUsbHost(token.usb),
    press: (held) => press(held),
    goSilent() {
      isSilent = true;
    },
  };
}

/** The bus' link, whose frames somebody is told of as the stick has them: before any fault on the way from it, and none that finds it out of its port. */
export function recorded(bus: MemoryUsbHost, onFrame: TwinOptions["onFrame"]): FrameLink {
  const { link } = bus;
  if (onFrame === undefined) return link;
  return {
    mtu: link.mtu,
    send(frame) {
      if (bus.enumerated !== undefined) onFrame("to-token", frame);
      link.send(frame);
    },
    onFrame: (listener) =>
      link.onFrame((frame) => {
        onFrame("to-computer", frame);
        listener(frame);
      }),
    close: () => link.close(),
  };
}
