/**
 * Many tokens in one process. The tokens are twins: each has its own copy of one flash and draws the same randomness, so that what was recorded with
 * one of them (see attest.ts) is right for all. Each talks to its computer by datagrams in memory, and the clock stands still.
 *
 * Memory: heap and array buffers behind a collection of garbage, with 1,000 tokens plugged in and attested once, less what was in use before there were any,
 * over 1,000. 128 KiB of it are the flash, which is a file elsewhere.
 *
 * Time: of the processor, all threads together, for a full attestation of API v1 by each token, one behind the other; in all as many for few tokens as for
 * many, so those attest in more rounds. Linear is the same time for each, and up to a quarter more: what 10 tokens hold fits into the caches of a processor, what
 * 1,000 hold does not.
 */
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { seededRandom } from "../support/random.ts";
import type { Bench, Figure, Result } from "./bench.ts";
import { usedBytes } from "./memory.ts";
import { directToken, type Exchange, enrolled, recorderOf } from "./prepared.ts";
import { onProcessor } from "./processor.ts";
import { type Player, playDirectly } from "./replay.ts";

const COUNTS = [10, 100, 1_000] as const;
const MANY = 1_000;
const RUNS = 5;
const MOST_ROUNDS = MANY / COUNTS[0];
const LINEAR = { atMost: 1.25 } as const;
const WHAT = `${MANY} v1 attestations, RSA-2048`;
const wayOf = (count: number) => `${count.toLocaleString("en-US")} tokens`;

type Round = readonly Exchange[];

/** Tokens that attest round after round, all of them each time, until there are as many attestations as of MANY tokens. */
async function crowd(count: number, rounds: readonly Round[], open: () => Player) {
  const players = Array.from({ length: count }, open);
  let round = 0;
  const all = async () => {
    const exchanges = rounds[round++] ?? [];
    if (exchanges.length === 0) throw new Error("no more was recorded");
    for (const player of players) await player.play(exchanges);
  };
  const run = async () => {
    for (let attested = 0; attested < MANY; attested += count) await all();
  };
  await all(); // of the first one is remembered what later ones need
  const close = async () => {
    for (const player of players) await player.close();
  };
  return { ...onProcessor({ what: WHAT, way: wayOf(count), run }), close };
}
type Crowd = Awaited<ReturnType<typeof crowd>>;

function figuresOf(bytesEach: number, crowds: readonly Crowd[], results: readonly Result[]): readonly Figure[] {
  const [ten = 0, hundred = 0, thousand = 0] = crowds.map((crowd) => crowd.medianMs(results));
  return [
    { figure: "memory of one of 1,000 tokens", value: bytesEach / 2 ** 20, unit: "MB", goal: { atMost: 0.5 } },
    { figure: "time to attest for each of 100 tokens : of 10", value: hundred / ten, unit: "", goal: LINEAR },
    { figure: "time to attest for each of 1,000 tokens : of 100", value: thousand / hundred, unit: "", goal: LINEAR },
  ];
}

export const tokens: Bench = {
  name: "tokens",
  about: "1,000 tokens in one process: memory of each, and the time in which all attest",
  iterations: RUNS,
  round: 1,
  async open() {
    const { computer, image } = enrolled();
    const twin = () =>
      directToken({
        flash: createRamFlash(STICK_GEOMETRY, image),
        random: seededRandom(1, "token"),
        clock: new VirtualClock(),
      });
    const first = twin();
    const record = recorderOf(computer, first, 1);
    const rounds = Array.from({ length: 1 + 2 * RUNS * MOST_ROUNDS }, () => record(1)); // with those of the warm-up
    first.stop();

    const open = () => playDirectly(twin());
    const few = [await crowd(10, rounds, open), await crowd(100, rounds, open)];
    const before = usedBytes();
    const many = await crowd(MANY, rounds, open);
    const bytesEach = (usedBytes() - before) / MANY;
    const crowds = [...few, many];
    return {
      probes: crowds.map(({ probe }) => probe),
      figures: (results) => figuresOf(bytesEach, crowds, results),
      notes() {
        const later = (usedBytes() - before) / MANY;
        const kib = (later / 1024).toFixed(0);
        return [{ what: `when they have attested some times: ${kib} KiB each`, bytesEach: later }];
      },
      async close() {
        for (const { close } of crowds) await close();
      },
    };
  },
};
