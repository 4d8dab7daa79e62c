import assert from "node:assert/strict";
import fc from "fast-check";
import { encode, equal, u32be, utf8 } from "../../../shared/bytes/index.ts";
import { diffEvents, EventType, type LogEvent, replayLog } from "../../../shared/event-log/index.ts";
import { diffSequences } from "../../../shared/event-log/sequence-diff.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { eventOf, uefiVariable } from "../../support/event-logs.ts";

const HASH = TpmAlg.SHA1;
const letters = (text: string) => [...text];

/** Few different elements, so that many are equal. */
const sequence = fc.array(fc.constantFrom(..."abcdef"), { maxLength: 24 });

/** What `before` becomes by what the difference says. */
function rebuilt(before: readonly string[], after: readonly string[]): readonly string[] {
  const { kept, moved, added } = diffSequences(before, after);
  const places = new Map([...kept, ...moved].map((pair) => [pair.after, before[pair.before]]));
  for (const place of added) places.set(place, after[place]);
  return Array.from({ length: places.size }, (_, i) => places.get(i) ?? "nothing");
}

describe("difference of sequences", () => {
  it("leaves out nothing, and tells nothing twice", () => {
    fc.assert(
      fc.property(sequence, sequence, (before, after) => {
        const { kept, moved, missing } = diffSequences(before, after);
        assert.deepEqual(rebuilt(before, after), after);
        const told = [...kept.map((pair) => pair.before), ...moved.map((pair) => pair.before), ...missing];
        assert.deepEqual(
          told.sort((a, b) => a - b),
          before.map((_, i) => i),
        );
        const order = kept.map((pair) => pair.after);
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("of one change is one thing", () => {
    fc.assert(
      fc.property(sequence, fc.nat(), (before, seed) => {
        const at = before.length === 0 ? 0 : seed % before.length;
        const counts = (after: readonly string[]) => {
          const { moved, missing, added } = diffSequences(before, after);
          return [moved.length, missing.length, added.length];
        };
        assert.deepEqual(counts(before), [0, 0, 0]);
        assert.deepEqual(counts(before.toSpliced(at, 0, "x")), [0, 0, 1]);
        assert.deepEqual(counts(before.toSpliced(at, 0, "a")), [0, 0, 1]);
        if (before.length === 0) return;
        assert.deepEqual(counts(before.toSpliced(at, 1)), [0, 1, 0]);
        assert.deepEqual(counts(before.toSpliced(at, 1, "x")), [0, 1, 1]);
      }),
      { numRuns: 500 },
    );
  });

  it("moves one element instead of all others", () => {
    assert.deepEqual(diffSequences(letters("abcdef"), letters("bcdefa")).moved, [{ before: 0, after: 5 }]);
    assert.deepEqual(diffSequences(letters("abcdef"), letters("fabcde")).moved, [{ before: 5, after: 0 }]);
    assert.equal(diffSequences(letters("abab"), letters("baba")).moved.length, 1);
  });
});

const pcrs = fc.constantFrom(4, 17, 18);
const someEvents = fc.array(
  fc
    .tuple(pcrs, fc.constantFrom("a", "b", "c", "d"))
    .map(([pcr, text]) => eventOf(pcr, EventType.SLAUNCH, `Kernel ${text}`)),
  { maxLength: 10 },
);

describe("difference of event logs", () => {
  it("is none exactly when both replay to the same values", () => {
    const same = (a: ReadonlyMap<number, Uint8Array>, b: ReadonlyMap<number, Uint8Array>) =>
      a.size === b.size && [...a].every(([pcr, value]) => equal(value, b.get(pcr) ?? new Uint8Array(0)));
    fc.assert(
      fc.property(someEvents, someEvents, fc.boolean(), (before, other, shuffle) => {
        const after = shuffle ? before.toSorted((a, b) => b.pcr - a.pcr) : other;
        const differs = diffEvents(before, after, HASH).length > 0;
        assert.equal(differs, !same(replayLog(before, HASH), replayLog(after, HASH)));
      }),
      { numRuns: 500 },
    );
  });

  it("is in the order of the log", () => {
    fc.assert(
      fc.property(someEvents, someEvents, (before, after) => {
        const places = diffEvents(before, after, HASH)
          .filter(({ kind }) => kind !== "added")
          .map(({ index }) => index);
        assert.deepEqual(
          places,
          places.toSorted((a, b) => a - b),
        );
      }),
    );
  });

  it("pairs what has the same words, the same beginning, or the same step", () => {
    const variable = (name: string, data: string) =>
      eventOf(7, EventType.EFI_VARIABLE_DRIVER_CONFIG, uefiVariable(name, utf8(data)));
    const told = (before: readonly LogEvent[], after: readonly LogEvent[]) =>
      diffEvents(before, after, HASH).map(({ kind, description }) => `${kind}: ${description}`);
    const [platformKey, exchangeKey, database] = [variable("PK", "1"), variable("KEK", "2"), variable("db", "3")];
    assert.deepEqual(told([platformKey, exchangeKey, database], [variable("KEK", "two"), database]), [
      "missing: UEFI variable PK: 1 bytes",
      "changed: UEFI variable KEK: 1 bytes",
    ]);
    const [one, two] = [
      eventOf(17, EventType.SLAUNCH, "Measured Kernel one"),
      eventOf(17, EventType.SLAUNCH, "Kernel two"),
    ];
    assert.deepEqual(told([one], [two]), ["changed: Measured Kernel one"]);
    assert.deepEqual(told([one], [eventOf(17, EventType.SLAUNCH, "Measured initrd")]), [
      "missing: Measured Kernel one",
      "added: Measured initrd",
    ]);
  });

  it("of long logs that have nothing in common ends soon, too", () => {
    const events = (from: number) =>
      Array.from({ length: 20_000 }, (_, i) =>
        eventOf(10, EventType.SLAUNCH, encode(u32be, from + i), { banks: [HASH] }),
      );
    const differences = diffEvents(events(0), events(1 << 20), HASH);
    assert.equal(differences.length, 20_000);
    assert.ok(differences.every(({ kind }) => kind === "changed"));
  });
});
