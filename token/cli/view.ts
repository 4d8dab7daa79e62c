import { drawLamps, nameLamps } from "../../hw/terminal/lamps.ts";
import { printable } from "../../hw/terminal/log.ts";
import { createScreen } from "../../hw/terminal/screen.ts";
import type { Log } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { meaningOf, type Situation } from "./meaning.ts";

const FOOT = "b hold or release the button   u unplug or plug   w wipe   q quit";

/** How a running token shows itself. */
export interface View {
  readonly log: Log;
  situation(now: Situation): void;
  event(event: TokenEvent): void;
  /** Where programs reach the token. */
  listening(address: string, port: number): void;
  close(): void;
}

const listeningAt = (address: string, port: number): string => `Listening on ${address}:${port} (UDP)`;

const clockTime = (): string => new Date().toISOString().slice(11, 23);

/** Lamps and their meaning redrawn in place, the log below. */
export function createTerminalView(stream: NodeJS.WriteStream, colors: boolean): View {
  const screen = createScreen(stream, FOOT);
  const line = (text: string) => screen.addLine(`${clockTime()} ${printable(text)}`);
  return {
    log: {
      write(level, message) {
        if (level !== "debug") line(message);
      },
    },
    situation(now) {
      screen.setHead(["", `  ${drawLamps(now.lamps, { colors })}`, `  ${printable(meaningOf(now))}`]);
    },
    event: () => undefined,
    listening: (address, port) => line(listeningAt(address, port)),
    close: () => screen.close(),
  };
}

/** One line for each change, with its time. */
export function createLineView(stream: NodeJS.WritableStream): View {
  let shown = "";
  const line = (text: string) => stream.write(`${clockTime()} ${printable(text)}\n`);
  return {
    log: {
      write(level, message) {
        if (level !== "debug") line(message);
      },
    },
    situation(now) {
      const text = `lamps ${nameLamps(now.lamps)}: ${meaningOf(now)}`;
      if (text !== shown) line(text);
      shown = text;
    },
    event: () => undefined,
    listening: (address, port) => void line(listeningAt(address, port)),
    close: () => undefined,
  };
}

/** One JSON object a line: `lamps`, `log`, `listening` (API v1), and the token's events under their own types. */
export function createJsonView(stream: NodeJS.WritableStream): View {
  let shown = "";
  const line = (fields: Readonly<Record<string, unknown>>) =>
    stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...fields })}\n`);
  return {
    log: { write: (level, message) => void line({ type: "log", level, message }) },
    situation(now) {
      const meaning = meaningOf(now);
      const text = `${nameLamps(now.lamps)} ${meaning}`;
      if (text !== shown) line({ type: "lamps", ...now.lamps, meaning });
      shown = text;
    },
    event: (event) => void line({ ...event }),
    listening: (address, port) => void line({ type: "listening", address, port }),
    close: () => undefined,
  };
}
