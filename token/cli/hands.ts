import { onKeys } from "../../hw/terminal/keys.ts";
import type { Button, Log, Unsubscribe } from "../../shared/ports/index.ts";

/** A button that is held and released from the keyboard. */
export interface KeyboardButton {
  readonly held: boolean;
  readonly port: Button;
  toggle(): void;
}

export function keyboardButton(): KeyboardButton {
  let listener: (held: boolean) => void = () => undefined;
  let held = false;
  return {
    get held() {
      return held;
    },
    toggle() {
      held = !held;
      listener(held);
    },
    port: {
      onChange(wanted) {
        listener = wanted;
        return () => {
          listener = () => undefined;
        };
      },
    },
  };
}

/** What the keys of a running token do. */
export interface Hands {
  quit(): void;
  plug(): void;
  press(): void;
  wipe(): void;
  /** The token, from 1, that the other keys are for. */
  choose(number: number): void;
}

export function listenToKeys({ quit, plug, press, wipe, choose }: Hands, log: Log): Unsubscribe {
  let asked = false;
  const keys: Readonly<Record<string, () => void>> = {
    q: quit,
    "ctrl-c": quit,
    u: plug,
    b: press,
    w() {
      asked = true;
      log.write("info", "Wipe the token, with all its keys and platforms? y wipes, any other key does not");
    },
  };
  return onKeys(process.stdin, (key) => {
    if (!asked) {
      if (/^[1-9]$/.test(key)) choose(Number(key));
      else keys[key]?.();
      return;
    }
    asked = false;
    if (key === "y" || key === "yes") wipe();
    else log.write("info", "Not wiped");
  });
}
