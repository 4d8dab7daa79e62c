import { drawLamps, nameLamps } from "../../hw/terminal/lamps.ts";
import { printable } from "../../hw/terminal/log.ts";
import { createScreen } from "../../hw/terminal/screen.ts";
import type { Log } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { meaningOf, type Situation } from "./meaning.ts";
import { type Reach, sayReach } from "./reach.ts";

const KEYS = "b hold or release the button   u unplug or plug   w wipe   q quit";

/** How one running token shows itself. */
export interface View {
  readonly log: Log;
  situation(now: Situation): void;
  event(event: TokenEvent): void;
}

/** How all tokens of this process show themselves. */
export interface Display {
  /** Of what concerns no token alone. */
  readonly log: Log;
  /** For each token, in their order. */
  readonly views: readonly View[];
  reach(reach: Reach): void;
  /** The token that keys are for. */
  choose(index: number): void;
  close(): void;
}

/** What tells a token from the others of this process: its bus id. Undefined for the only one. */
export type TokenName = string | undefined;

const clockTime = (): string => new Date().toISOString().slice(11, 23);

/** Lines for people; what `name` begins is of one token. */
function lineLog(line: (text: string) => void, name?: TokenName): Log {
  return {
    write(level, message) {
      if (level !== "debug") line(name === undefined ? message : `${name} ${message}`);
    },
  };
}

function tellReach(log: Log, reach: Reach): void {
  for (const [level, text] of sayReach(reach)) log.write(level, text);
}

/** Lamps and their meaning redrawn in place, the log below. */
export function createTerminalDisplay(
  stream: NodeJS.WriteStream,
  names: readonly TokenName[],
  colors: boolean,
): Display {
  const foot = names.length === 1 ? KEYS : `1-${names.length} choose   ${KEYS}`;
  const screen = createScreen(stream, foot);
  const line = (text: string) => screen.addLine(`${clockTime()} ${printable(text)}`);
  const situations: (Situation | undefined)[] = names.map(() => undefined);
  let chosen = 0;
  const rowsOf = (now: Situation, index: number): readonly string[] => {
    const [lamps, meaning] = [drawLamps(now.lamps, { colors }), printable(meaningOf(now))];
    const name = names[index];
    if (name === undefined) return [`  ${lamps}`, `  ${meaning}`];
    return [`${index === chosen ? ">" : " "} ${name}  ${lamps}  ${meaning}`];
  };
  const draw = () => {
    const rows = situations.flatMap((now, index) => (now === undefined ? [] : rowsOf(now, index)));
    screen.setHead(["", ...rows]);
  };
  const log = lineLog(line);
  return {
    log,
    views: names.map((name, index) => ({
      log: lineLog(line, name),
      situation(now) {
        situations[index] = now;
        draw();
      },
      event: () => undefined,
    })),
    reach: (reach) => tellReach(log, reach),
    choose(index) {
      chosen = index;
      draw();
    },
    close: () => screen.close(),
  };
}

/** One line for each change, with its time. */
export function createLineDisplay(stream: NodeJS.WritableStream, names: readonly TokenName[]): Display {
  const line = (text: string) => void stream.write(`${clockTime()} ${printable(text)}\n`);
  const log = lineLog(line);
  const viewOf = (name: TokenName): View => {
    const own = lineLog(line, name);
    let shown = "";
    return {
      log: own,
      situation(now) {
        const text = `lamps ${nameLamps(now.lamps)}: ${meaningOf(now)}`;
        if (text !== shown) own.write("info", text);
        shown = text;
      },
      event: () => undefined,
    };
  };
  return {
    log,
    views: names.map(viewOf),
    reach: (reach) => tellReach(log, reach),
    choose(index) {
      log.write("info", `Keys are for ${names[index] ?? "the token"}`);
    },
    close: () => undefined,
  };
}

/**
 * One JSON object a line: `lamps`, `log`, where the token is reached (`listening`, `usbip`, `usbredir`, `tap`), and the
 * token's events under their own types. With more than one token, `stick` says which one.
 */
export function createJsonDisplay(stream: NodeJS.WritableStream, names: readonly TokenName[]): Display {
  const line = (fields: Readonly<Record<string, unknown>>, name?: TokenName) => {
    const stick = name === undefined ? {} : { stick: name };
    stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...stick, ...fields })}\n`);
  };
  const logOf = (name?: TokenName): Log => ({
    write: (level, message) => line({ type: "log", level, message }, name),
  });
  const log = logOf();
  const viewOf = (name: TokenName): View => {
    let shown = "";
    return {
      log: logOf(name),
      situation(now) {
        const meaning = meaningOf(now);
        const text = `${nameLamps(now.lamps)} ${meaning}`;
        if (text !== shown) line({ type: "lamps", ...now.lamps, meaning }, name);
        shown = text;
      },
      event: (event) => line({ ...event }, name),
    };
  };
  return {
    log,
    views: names.map(viewOf),
    reach(reach) {
      line({ ...reach });
      for (const [level, text] of sayReach(reach)) if (level !== "info") log.write(level, text);
    },
    choose: () => undefined,
    close: () => undefined,
  };
}
