/** What was tried, how it went and how long it took. */

export interface Row {
  readonly story: string;
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
  readonly ms: number;
  /** What was seen, or why it failed. */
  readonly detail: string;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const firstLine = (text: string) => text.split("\n")[0] ?? "";

export class Report {
  readonly rows: Row[] = [];
  #story = "";

  get failed(): readonly Row[] {
    return this.rows.filter(({ outcome }) => outcome === "failed");
  }

  /** A story ends with its first check that fails: the later ones build on it. Others go on. */
  async story(name: string, run: () => Promise<void>): Promise<void> {
    this.#story = name;
    console.log(`\n${name}`);
    const failures = this.failed.length;
    try {
      await run();
    } catch (error) {
      if (this.failed.length === failures) this.#add("the story itself", "failed", 0, messageOf(error));
    }
  }

  /** `run` gives what is worth showing. */
  async check(name: string, run: () => Promise<string | undefined>): Promise<void> {
    const start = performance.now();
    try {
      const detail = await run();
      this.#add(name, "ok", performance.now() - start, detail ?? "");
    } catch (error) {
      this.#add(name, "failed", performance.now() - start, messageOf(error));
      throw error;
    }
  }

  skip(name: string, why: string): void {
    this.#add(name, "skipped", 0, why);
  }

  #add(name: string, outcome: Row["outcome"], ms: number, detail: string): void {
    this.rows.push({ story: this.#story, name, outcome, ms, detail });
    const mark = { ok: "ok  ", failed: "FAIL", skipped: "skip" }[outcome];
    console.log(`  ${mark} ${name} (${seconds(ms)})${detail === "" ? "" : `: ${detail}`}`);
  }

  table(): string {
    const cells = this.rows.map(({ story, name, outcome, ms, detail }) => [
      story,
      name,
      outcome,
      seconds(ms),
      outcome === "ok" ? firstLine(detail) : firstLine(detail).slice(0, 100),
    ]);
    const head = ["story", "check", "outcome", "time", "seen"];
    const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] ?? "").length)));
    const line = (row: readonly string[]) =>
      row.map((cell, i) => (i === 4 ? cell : cell.padEnd(widths[i] ?? 0))).join("  ");
    return [line(head), line(widths.slice(0, 4).map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
