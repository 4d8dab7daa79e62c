/** What was tried, how it went and how long it took. */

interface Row {
  readonly story: string;
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
  readonly ms: number;
  /** What was seen, or why it failed. */
  readonly detail: string;
}

/** The checks of one story. */
export interface Checks {
  /** `run` gives what is worth showing, and rejects when the check fails. */
  check(name: string, run: () => Promise<string | undefined>): Promise<void>;
  skip(name: string, why: string): void;
}

const MARKS = { ok: "ok  ", failed: "FAIL", skipped: "skip" } as const;
const WIDTH_OF_FAILURES = 100;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const firstLine = (text: string) => text.split("\n")[0] ?? "";
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Stories may go on side by side. */
export class Report {
  readonly #rows: Row[] = [];

  get failed(): number {
    return this.#rows.filter(({ outcome }) => outcome === "failed").length;
  }

  get skipped(): number {
    return this.#rows.filter(({ outcome }) => outcome === "skipped").length;
  }

  /** A story ends with its first check that fails: the later ones build on it. Gives whether it went well. */
  async story(story: string, run: (checks: Checks) => Promise<void>): Promise<boolean> {
    let current = "the story itself";
    let start = performance.now();
    const add = (outcome: Row["outcome"], name: string, detail: string) => {
      this.#add({ story, name, outcome, ms: outcome === "skipped" ? 0 : performance.now() - start, detail });
    };
    const checks: Checks = {
      async check(name, act) {
        [current, start] = [name, performance.now()];
        const detail = await act();
        add("ok", name, detail ?? "");
        [current, start] = ["the story itself", performance.now()];
      },
      skip: (name, why) => add("skipped", name, why),
    };
    try {
      await run(checks);
      return true;
    } catch (error) {
      add("failed", current, messageOf(error));
      return false;
    }
  }

  table(): string {
    const order = [...new Set(this.#rows.map(({ story }) => story))];
    const rows = order.flatMap((story) => this.#rows.filter((row) => row.story === story));
    const cells = rows.map(({ story, name, outcome, ms, detail }) => [
      story,
      name,
      outcome,
      seconds(ms),
      outcome === "ok" ? firstLine(detail) : firstLine(detail).slice(0, WIDTH_OF_FAILURES),
    ]);
    const head = ["story", "check", "outcome", "time", "seen"];
    const widths = head.slice(0, -1).map((title, i) => Math.max(...[title, ...cells.map((row) => row[i] ?? "")].map((text) => text.length))); // biome-ignore format: one column after the other
    const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd(); // biome-ignore format: as above
    return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
  }

  #add(row: Row): void {
    this.#rows.push(row);
    const { story, name, outcome, ms, detail } = row;
    console.log(`${MARKS[outcome]} ${story}: ${name} (${seconds(ms)})${detail === "" ? "" : `: ${detail}`}`);
  }
}
