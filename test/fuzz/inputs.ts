import { Dice } from "./dice.ts";
import { Draft } from "./draft.ts";
import { type Material, mutate, tower } from "./mutate.ts";

const MAX_RANDOM_BYTES = 300;
/** Long ones, so few. */
const ONE_TOWER_IN = 2_000;

/** Random bytes, seeds with one to four changes, and now and then a tower: without end, the same ones for name and seed. */
export class InputSource {
  readonly #dice: Dice;
  readonly #draft = new Draft();
  readonly #seeds: Uint8Array[];
  readonly #tokens: readonly Uint8Array[];
  #given = 0;

  constructor(name: string, { seeds, tokens }: Material, seed = 0) {
    this.#dice = new Dice(name, seed);
    this.#seeds = [...seeds];
    this.#tokens = tokens;
  }

  /** One more to change and to take parts from. */
  add(seed: Uint8Array): void {
    this.#seeds.push(seed);
  }

  next(): Uint8Array {
    const dice = this.#dice;
    const material = { seeds: this.#seeds, tokens: this.#tokens };
    if (++this.#given % ONE_TOWER_IN === 0) return tower(dice, material);
    const seed = dice.pick(this.#seeds);
    if (seed === undefined || dice.below(8) === 0) return dice.bytes(dice.below(MAX_RANDOM_BYTES));
    this.#draft.start(seed);
    for (let changes = 1 + dice.below(4); changes > 0; changes--) mutate(this.#draft, dice, material);
    return this.#draft.finish();
  }
}
