import type { CoapResponse } from "../../shared/coap/index.ts";
import type { Findings } from "./findings.ts";

/** Longest by the asker's own clock: more blocks than any body has, each sent thrice (10.5 s), and a late response (15 s). */
const ENDS_WITHIN_MS = 120_000;

/** Requests of programs that nobody has heard the end of: an answer, an error of the wire, or that the program was killed. */
export class Asked {
  readonly #wentMs: () => number;
  readonly #findings: Findings;
  readonly #open = new Map<object, { readonly what: string; readonly sinceMs: number }>();

  /** `wentMs` tells how long the asker's clock went: what waits for a timer does not end when the clock jumps to another. */
  constructor(wentMs: () => number, findings: Findings) {
    this.#wentMs = wentMs;
    this.#findings = findings;
  }

  began(what: string, answer: Promise<CoapResponse>): void {
    const request = {};
    this.#open.set(request, { what, sinceMs: this.#wentMs() });
    const ended = () => void this.#open.delete(request);
    answer.then(ended, ended);
  }

  step(): void {
    for (const { what, sinceMs } of this.#open.values()) {
      if (this.#wentMs() - sinceMs > ENDS_WITHIN_MS) this.#findings.fail(`nothing became of ${what}`);
    }
  }

  /** Once all programs have ended. */
  over(): void {
    for (const { what } of this.#open.values()) this.#findings.fail(`nobody was told what became of ${what}`);
  }
}
