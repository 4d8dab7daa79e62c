import { createLogUpdate } from "log-update";

const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;
/** Empty lines around the log, the foot, and the line that the cursor waits in. */
const OTHER_ROWS = 4;
const MAX_KEPT_LINES = 500;

/** A head that is redrawn in place with the newest log lines below it. */
export interface Screen {
  setHead(lines: readonly string[]): void;
  addLine(line: string): void;
  /** Leaves the last picture standing and puts the cursor behind it. */
  close(): void;
}

/** The newest of `lines` that fit in `room` rows of a terminal, long ones wrapped; at least the last. */
function newest(lines: readonly string[], room: number, columns: number): readonly string[] {
  let rows = 0;
  let from = lines.length;
  while (from > 0) {
    rows += Math.max(1, Math.ceil([...(lines[from - 1] ?? "")].length / columns));
    if (rows > room && from < lines.length) break;
    from--;
  }
  return lines.slice(from);
}

/** Draws on a terminal of any size. The head stays in view: of the log, what does not fit is left out. */
export function createScreen(stream: NodeJS.WriteStream, foot: string): Screen {
  const update = createLogUpdate(stream, { showCursor: false });
  const kept: string[] = [];
  let head: readonly string[] = [];

  const draw = () => {
    const room = (stream.rows ?? DEFAULT_ROWS) - head.length - OTHER_ROWS;
    const log = newest(kept, room, stream.columns ?? DEFAULT_COLUMNS);
    // log-update 7.2 patches the picture that stands there, and leaves what moved down where it was.
    update.clear();
    update([...head, "", ...log, "", foot].join("\n"));
  };
  stream.on("resize", draw);

  return {
    setHead(lines) {
      head = lines;
      draw();
    },
    addLine(line) {
      kept.push(line);
      if (kept.length > MAX_KEPT_LINES) kept.shift();
      draw();
    },
    close() {
      stream.off("resize", draw);
      update.done();
    },
  };
}
