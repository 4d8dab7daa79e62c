/** The fuzzing fuzzed: what is wrong on purpose is found, and told with the command that shows it again. */
import assert from "node:assert/strict";
import { CodecError, decode, encode, framed, Reader, rest, struct, u16be } from "../../shared/bytes/index.ts";
import { EemPacket } from "../../shared/eem/index.ts";
import { seeds as commandSeeds, furnished } from "../hw/tpm/emulator/seeds.ts";
import { alone, campaign } from "./campaign.ts";
import { corpus } from "./corpus.ts";
import { Coverage, reaches } from "./coverage.ts";
import { hex, ofFunction } from "./decoder.ts";
import { Dice } from "./dice.ts";
import { Draft } from "./draft.ts";
import { InputSource } from "./inputs.ts";
import { families } from "./inventory.ts";
import { changeWithLength } from "./lengths.ts";
import { performAll } from "./pool.ts";
import { receiver } from "./receivers/receiver.ts";
import { failureLines } from "./report.ts";
import { shrink } from "./shrink.ts";
import { decoderTarget } from "./targets.ts";

const AMOUNT = { inputs: 3_000, seconds: 60, seed: 0 };
const FAMILY = { name: "none", tokens: [] };
const target = (decoder: (input: Uint8Array) => unknown) =>
  decoderTarget(ofFunction("wrong", decoder, [hex("0102030405060708")]), FAMILY);
const refuse = (): never => {
  throw new CodecError("refused", "", 0);
};

describe("a fuzz campaign", () => {
  it("finds what is thrown that is no refusal, shortens it, and says how to see it again", async () => {
    const wrong = target((input) => {
      if (input.includes(0x80) && input.byteLength > 2) throw new TypeError("no 80");
      if (input.byteLength % 2 === 0) refuse();
    });
    const outcome = await campaign(wrong, AMOUNT);
    assert.ok(outcome.failure);
    const { failure } = outcome;
    assert.deepEqual([failure.what, failure.input, failure.alone], ["TypeError: no 80", "000080", true]);
    assert.match(failureLines(outcome, failure, 0), /again: npm run fuzz -- --only 'wrong' --replay 000080$/);
    assert.equal(await alone(wrong, hex(failure.input)), "TypeError: no 80");
    assert.equal(await alone(wrong, hex("0100")), undefined);
  });

  it("finds what is written otherwise than it was read", async () => {
    const loose = { decode: (input: Uint8Array) => input, recode: (input: Uint8Array) => input.subarray(0, 4) };
    const wrong = { name: "loose", ...loose, seeds: [hex("01020304")], exceptions: {} };
    const { failure } = await campaign(decoderTarget(wrong, FAMILY), AMOUNT);
    assert.deepEqual([failure?.what, failure?.input], ["Error: is written as 00000000", "0000000000"]);
  });

  it("finds a stack that is used up, time and memory", async () => {
    const descend = (input: Uint8Array, at: number): number => (input[at] === 0x81 ? 1 + descend(input, at + 1) : at);
    const deep = decoderTarget(
      ofFunction("deep", (input) => descend(input, 0), [hex("8181818100")]),
      { name: "none", tokens: [hex("81")] },
    );
    assert.match((await campaign(deep, { ...AMOUNT, inputs: 60_000 })).failure?.what ?? "", /RangeError: Maximum call/);
    const kept: Uint8Array[] = [];
    const greedy = target((input) => input.byteLength === 3 && kept.push(new Uint8Array(160 * 1_048_576)));
    assert.match((await campaign(greedy, AMOUNT)).failure?.what ?? "", /TooMuch: took 1\d\d MB/);
    kept.length = 0;
    const leaking = receiver("leaking", [hex("01")], () => ({
      take: () => kept.push(new Uint8Array(4_096)) > 0,
      end: () => undefined,
    }));
    assert.match((await campaign(leaking, { ...AMOUNT, inputs: 10_000 })).failure?.what ?? "", /^\d\d MB more in use$/);
    kept.length = 0;
    const slow = target((input) => {
      const used = process.cpuUsage();
      while (input.byteLength === 3 && process.cpuUsage(used).user < 60_000);
    });
    assert.match((await campaign(slow, { ...AMOUNT, inputMs: 50 })).failure?.what ?? "", /TooMuch: took \d+ ms/);
  }).timeout(60_000);

  it("of what remembers, tells the seed and the number when an input does no harm by itself", async () => {
    const open = () => {
      let taken = 0;
      return {
        take: () => {
          if (++taken === 20) throw new Error("twenty");
          return true;
        },
        end: () => undefined,
      };
    };
    const outcome = await campaign(receiver("counting", [hex("01")], open), { ...AMOUNT, seed: 5 });
    assert.ok(outcome.failure);
    assert.equal(outcome.failure.alone, false);
    assert.match(failureLines(outcome, outcome.failure, 5), /--only 'counting' --seed 5 --inputs 20$/);
  });

  it("of a process that ends, says at which input", async () => {
    const lost = { name: "no such target", remembers: false, guided: false, ...AMOUNT };
    const failures: string[] = [];
    await performAll([lost], 1, ({ outcome }) => failures.push(outcome.failure?.what ?? "none"));
    assert.deepEqual(failures, ["Error: the process ended with 1"]);
  }).timeout(60_000);
});

describe("fuzz inputs", () => {
  const take = (source: InputSource) => Array.from({ length: 2_000 }, () => Buffer.from(source.next()).toString("hex"));
  const material = { seeds: [hex("0003 010203 04")], tokens: [hex("ff544347")] };

  it("are the same for name and seed, others for others, and use seeds and tokens", () => {
    const first = take(new InputSource("a", material));
    assert.deepEqual(take(new InputSource("a", material)), first);
    assert.notDeepEqual(take(new InputSource("a", material, 1)), first);
    assert.notDeepEqual(take(new InputSource("b", material)), first);
    assert.ok(first.filter((input) => input.includes("ff544347")).length > 50);
    assert.ok(first.some((input) => input.length === 2 * 30_000 || input.length > 2 * 30_000));
  });

  it("have lengths that stay right when what they count changes, also around each other", () => {
    const Nested = struct("nested", { outer: framed(u16be, struct("inner", { body: framed(u16be, rest, 999) }), 999) });
    const good = encode(Nested, { outer: { body: new Uint8Array(40).fill(0xee) } });
    const dice = new Dice("lengths");
    const draft = new Draft();
    let right = 0;
    for (let i = 0; i < 1_000; i++) {
      draft.start(good);
      changeWithLength(draft, dice);
      const changed = draft.finish();
      if (changed.byteLength === good.byteLength) continue;
      try {
        decode(Nested, changed);
        right++;
      } catch (error) {
        assert.ok(error instanceof CodecError);
      }
    }
    assert.ok(right > 20, `${right} of 1000`);
  });

  it("are shortened as far as the question allows", () => {
    const long = hex("aa55bb0102cc03");
    assert.deepEqual(
      shrink(long, (input) => input.includes(0xbb) && input.includes(0xcc)),
      hex("bbcc"),
    );
    assert.deepEqual(
      shrink(long, () => true),
      new Uint8Array(0),
    );
    assert.deepEqual(
      shrink(long, () => false),
      long,
    );
  });
});

describe("the corpus of inputs", () => {
  it("is small, and is of decoders that are there", () => {
    let size = 0;
    for (const { name, decoders } of families) {
      const names = decoders.map((decoder) => decoder.name);
      for (const [decoder, inputs] of corpus(name)) {
        assert.ok(names.includes(decoder), `${name}: ${decoder}`);
        for (const { byteLength } of inputs) size += byteLength;
      }
    }
    assert.ok(size > 0 && size < 64 * 1_024, `${size} bytes`);
  });

  it("grows by what reaches new code, which coverage knows", () => {
    const coverage = new Coverage();
    try {
      decode(EemPacket, hex("0d40 313233343536373839 2639f4cb"));
      const data = coverage.take();
      assert.ok(coverage.fresh(data).size > 0);
      coverage.note(data);
      decode(EemPacket, hex("0380 616263"));
      const echo = coverage.take();
      const fresh = coverage.fresh(echo);
      assert.ok(fresh.size > 0, "an echo is read by other code");
      assert.ok(reaches(echo, fresh) && !reaches(data, fresh));
      coverage.note(echo);
      decode(EemPacket, hex("0380 646566"));
      assert.equal(coverage.fresh(coverage.take()).size, 0);
    } finally {
      coverage.close();
    }
  });

  it("of TPM commands begins with such as succeed", () => {
    const { engine } = furnished();
    const refused = commandSeeds.filter((seed) => new Reader(engine.execute(seed).subarray(6)).u32be() !== 0).length;
    assert.ok(refused < commandSeeds.length / 2, `${refused} of ${commandSeeds.length} refused`);
  });
});
