import assert from "node:assert/strict";
import { createRamFlash, STICK_GEOMETRY } from "../../../hw/flash/index.ts";
import { PAGE_HEADER_BYTES, recordSize } from "../../../token/storage/format.ts";
import { openStore } from "../../../token/storage/index.ts";
import { createCutFlash, PowerCut } from "../../support/cut-flash.ts";
import { onlyBits, seededBits, type Tear } from "../../support/tears.ts";

const WRITES = 100_000;
const RESTART_EVERY = 1_000;
const VALUE_BYTES = 400;
/** Values that stay: they are moved each time the log goes round. */
const STILL = { count: 10, bytes: 3_000 };
/** Pages that the log takes at most: nine are kept free, and three for the next write. */
const LOG_PAGES = STICK_GEOMETRY.pages - 12;
/** Page ends that are left free, headers that say where the log begins, and what cuts waste. */
const WASTE = 1.1;
const MAX_UNEVEN = 0.1;

const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill);

/** Erasures that so many bytes need when every page is filled, and what stays is moved once a round. */
function leastErasures(): number {
  const perPage = STICK_GEOMETRY.pageBytes - PAGE_HEADER_BYTES;
  const written = WRITES * recordSize("counter".length, VALUE_BYTES);
  const still = STILL.count * recordSize("still/0".length, STILL.bytes);
  return written / perPage / (1 - still / (LOG_PAGES * perPage));
}

describe("storage: wear", () => {
  it(`${WRITES} writes, a restart after each ${RESTART_EVERY}, every second one by a power cut: within the erasures they need, and level`, function () {
    this.timeout(120_000);
    const erasures = new Array<number>(STICK_GEOMETRY.pages).fill(0);
    let image = createRamFlash().image();
    let written = 0;
    for (let life = 0; written < WRITES; life++) {
      const flash = createCutFlash(STICK_GEOMETRY, image);
      const store = openStore(flash);
      for (let i = 0; life === 0 && i < STILL.count; i++)
        store.commit(new Map([[`still/${i}`, bytes(STILL.bytes, i)]]));
      for (let i = 0; i < RESTART_EVERY; i++, written++)
        store.commit(new Map([["counter", bytes(VALUE_BYTES, written)]]));
      if (life % 2 === 1) cutWithin(flash, store, life);
      for (const [page, count] of flash.erasures.entries()) erasures[page] = (erasures[page] ?? 0) + count;
      image = flash.image();
    }
    const store = openStore(createRamFlash(STICK_GEOMETRY, image));
    for (let i = 0; i < STILL.count; i++) assert.deepEqual(store.get(`still/${i}`), bytes(STILL.bytes, i));
    const total = erasures.reduce((sum, count) => sum + count, 0);
    const [least, most, mean] = [Math.min(...erasures), Math.max(...erasures), total / erasures.length];
    const budget = WASTE * leastErasures();
    console.log(`      ${total} erasures of ${Math.floor(budget)}, ${least} to ${most} of a page`);
    assert.ok(total <= budget, `${total} erasures, ${budget} allowed`);
    assert.ok((most - least) / mean <= MAX_UNEVEN, erasures.join(" "));
  });
});

/** One more write, in which the power fails. */
function cutWithin(flash: ReturnType<typeof createCutFlash>, store: ReturnType<typeof openStore>, life: number): void {
  const tear: Tear = (before, after) => onlyBits(seededBits(`life ${life}`, after.byteLength))(before, after);
  flash.cutAt(flash.operations + (life % 3), tear);
  assert.throws(() => store.commit(new Map([["counter", bytes(VALUE_BYTES, life)]])), PowerCut);
}
