import { CountingClock, paceOf } from "./clock.ts";
import { createDice } from "./dice.ts";
import { Findings } from "./findings.ts";
import type { Plan } from "./plan.ts";
import { type SoldTpm, tpmOf } from "./pool.ts";
import { platformOf, type Sabotage, Site } from "./site.ts";
import { createSimStick, type SimStick } from "./slot.ts";
import { Trace } from "./trace.ts";
import { tearBits } from "./wreck.ts";

/** For each computer: every one of 32 sessions has its own and that of a ping, the rest is lamps, exchanges, programs and late frames. */
const MAX_TIMERS = 150;

/** Of one instant, at most: programs that wait for no time at all wait for ever. */
const MAX_STEPS = 20_000;

/** Computers and sticks of one seed, all of one owner, in one time. */
export class World {
  readonly clock = new CountingClock();
  readonly pace = paceOf(this.clock);
  readonly trace = new Trace(this.clock);
  readonly findings = new Findings();
  readonly sites: readonly Site[];
  readonly #sticks: readonly SimStick[];
  /** By how many places the sticks have moved on. */
  #moves = 0;
  #instant = { atMs: 0, steps: 0 };

  private constructor(
    seed: number,
    { sticks, computers }: Pick<Plan, "sticks" | "computers">,
    sold: readonly SoldTpm[],
    sabotage: Sabotage,
  ) {
    const platforms = computers.map((_, i) => platformOf(i));
    const around = { seed, sabotage, platforms, ...this.#common() };
    this.#sticks = Array.from({ length: sticks }, (_, i) =>
      createSimStick(`stick ${i}`, tearBits(createDice(seed, `flash ${i}`))),
    );
    this.sites = sold.map((tpm, i) => {
      const options = { number: i, key: computers[i]?.key ?? "ecc", sold: tpm, stick: this.#sticks[i] };
      return new Site(options, around);
    });
  }

  static async create(
    seed: number,
    plan: Pick<Plan, "sticks" | "computers">,
    sabotage: Sabotage = () => undefined,
  ): Promise<World> {
    const sold = await Promise.all(plan.computers.map(({ key }, i) => tpmOf(seed + i, key)));
    const world = new World(seed, plan, sold, sabotage);
    for (const site of world.sites) await site.start();
    return world;
  }

  #common() {
    const { pace, clock, trace, findings } = this;
    return { pace, clock, trace, findings };
  }

  /** What is to be done after each timer; true when something was not as it must be. */
  step(): boolean {
    const { waiting } = this.clock;
    const most = MAX_TIMERS * this.sites.length;
    if (waiting > most) this.findings.fail(`${waiting} timers wait, ${most} at most are expected`);
    if (this.#instant.atMs !== this.clock.now()) this.#instant = { atMs: this.clock.now(), steps: 0 };
    if (++this.#instant.steps > MAX_STEPS) this.findings.fail("time does not go on");
    for (const site of this.sites) site.step();
    return this.findings.violation !== undefined;
  }

  /** Whether there is another way to put sticks into ports. */
  get hasOtherPlaces(): boolean {
    return this.#places > 1;
  }

  /** Each stick goes to the next port, or lies beside the computers until the next move; all of them lose their power. */
  moveSticks(): void {
    this.#moves += 1;
    for (const site of this.sites) site.insert(undefined); // all out before the first goes in
    for (const [i, site] of this.sites.entries()) {
      const stick = this.#sticks[(i + this.#moves) % this.#places];
      if (stick !== undefined) site.insert(stick);
    }
  }

  async close(): Promise<void> {
    for (const site of this.sites) await site.close();
  }

  get #places(): number {
    return Math.max(this.sites.length, this.#sticks.length);
  }
}
