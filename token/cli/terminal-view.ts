import { drawLamps } from "../../hw/terminal/lamps.ts";
import { printable } from "../../hw/terminal/printable.ts";
import { createScreen } from "../../hw/terminal/screen.ts";
import { meaningOf, type Situation } from "./meaning.ts";
import { clockTime, type Display, lineLog, type TokenName, tellReach } from "./view.ts";

const KEYS = "b hold or release the button   u unplug or plug   w wipe   q quit";

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
