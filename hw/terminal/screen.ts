import { createLogUpdate } from "log-update";

const DEFAULT_ROWS = 24;
const MAX_KEPT_LINES = 500;

/** A head that is redrawn in place with the newest log lines below it. */
export interface Screen {
  setHead(lines: readonly string[]): void;
  addLine(line: string): void;
  /** Leaves the last picture standing and puts the cursor behind it. */
  close(): void;
}

/** Draws on a terminal of any size; lines that do not fit the width are cut by the terminal library. */
export function createScreen(stream: NodeJS.WriteStream, foot: string): Screen {
  const update = createLogUpdate(stream, { showCursor: false });
  const kept: string[] = [];
  let head: readonly string[] = [];

  const draw = () => {
    const room = Math.max(1, (stream.rows ?? DEFAULT_ROWS) - head.length - 4);
    update([...head, "", ...kept.slice(-room), "", foot].join("\n"));
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
