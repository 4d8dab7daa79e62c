/** What did not hold in a world. The first is kept. */
export class Findings {
  violation: string | undefined;
  /** What may be used once, and where it was. */
  readonly #uses = new Map<string, string>();

  fail(what: string): void {
    this.violation ??= what;
  }

  /** `use` names the one occasion: at another one the same thing is not accepted. */
  accepted(what: string, use: string): void {
    const before = this.#uses.get(what);
    if (before !== undefined && before !== use) this.fail(`${what} was accepted twice`);
    this.#uses.set(what, use);
  }
}
