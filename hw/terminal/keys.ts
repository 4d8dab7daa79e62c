import { createInterface, emitKeypressEvents } from "node:readline";
import type { Unsubscribe } from "../../shared/ports/index.ts";

interface Keypress {
  readonly name?: string;
  readonly ctrl?: boolean;
  /** Alt. */
  readonly meta?: boolean;
  readonly sequence?: string;
}

/** Standard input, or a stream that stands in for it. */
export interface KeyInput extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
}

/**
 * Single keys from a terminal, or lines from a pipe whose first word is the key. Ctrl-C on a terminal comes as `ctrl-c`, others with Ctrl or
 * Alt not at all: they mean something else than the key alone.
 */
export function onKeys(input: KeyInput, listener: (key: string) => void): Unsubscribe {
  return input.isTTY === true ? onTerminalKeys(input, listener) : onLines(input, listener);
}

function onTerminalKeys(input: KeyInput, listener: (key: string) => void): Unsubscribe {
  const pressed = (_text: string | undefined, key: Keypress) => {
    if (key.ctrl === true && key.name === "c") listener("ctrl-c");
    else if (key.ctrl !== true && key.meta !== true) listener(key.name ?? key.sequence ?? "");
  };
  emitKeypressEvents(input);
  input.setRawMode?.(true);
  input.on("keypress", pressed);
  input.resume();
  return () => {
    input.off("keypress", pressed);
    input.setRawMode?.(false);
    input.pause();
  };
}

function onLines(input: KeyInput, listener: (key: string) => void): Unsubscribe {
  const lines = createInterface({ input });
  lines.on("line", (line) => {
    const key = line.trim().split(/\s+/)[0];
    if (key !== undefined && key !== "") listener(key);
  });
  return () => lines.close();
}
