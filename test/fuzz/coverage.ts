/** Which parts of our code ran, by V8's precise coverage of this process. */
import { type Profiler, Session } from "node:inspector";

const OURS = /\/(?:shared|token|attester|hw)\/[^?]*\.ts/;

/** By function: one byte for each character of its source, 1 where it ran. V8 joins and splits ranges by their counts, so these are no names. */
export type Ran = ReadonlyMap<string, Uint8Array>;
/** By function: where runs of characters begin that ran for the first time. */
export type Fresh = ReadonlyMap<string, readonly number[]>;

export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Map<string, Uint8Array>();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** What ran since the last call. */
  take(): Ran {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post("Profiler.takePreciseCoverage", (error, { result }) => {
      if (error !== null) throw error;
      scripts = result;
    });
    const ran = new Map<string, Uint8Array>();
    for (const { scriptId, functions } of scripts.filter(({ url }) => OURS.test(url))) {
      for (const { ranges } of functions) {
        const [whole] = ranges;
        if (whole !== undefined) ran.set(`${scriptId}:${whole.startOffset}-${whole.endOffset}`, painted(ranges, whole));
      }
    }
    return ran;
  }

  /** What of it was never noted. */
  fresh(ran: Ran): Fresh {
    const fresh = new Map<string, number[]>();
    for (const [name, now] of ran) {
      const seen = this.#seen.get(name);
      const begins: number[] = [];
      let wasNew = false;
      for (let at = 0; at < now.byteLength; at++) {
        const isNew = now[at] === 1 && seen?.[at] !== 1;
        if (isNew && !wasNew) begins.push(at);
        wasNew = isNew;
      }
      if (begins.length > 0) fresh.set(name, begins);
    }
    return fresh;
  }

  note(ran: Ran): void {
    for (const [name, now] of ran) {
      const seen = this.#seen.get(name);
      if (seen === undefined) this.#seen.set(name, now);
      else for (let at = 0; at < now.byteLength; at++) seen[at] = Math.max(seen[at] ?? 0, now[at] ?? 0);
    }
  }

  close(): void {
    this.#session.post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }
}

/** Outer ranges come first. */
function painted(ranges: readonly Profiler.CoverageRange[], whole: Profiler.CoverageRange): Uint8Array {
  const bytes = new Uint8Array(whole.endOffset - whole.startOffset);
  for (const { startOffset, endOffset, count } of ranges) {
    bytes.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
  }
  return bytes;
}

/** Whether all of `wanted` ran. */
export function reaches(ran: Ran, wanted: Fresh): boolean {
  return [...wanted].every(([name, begins]) => begins.every((at) => ran.get(name)?.[at] === 1));
}
