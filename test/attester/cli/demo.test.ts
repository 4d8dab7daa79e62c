import assert from "node:assert/strict";
import { jsonStage } from "../../../attester/cli/demo/stage.ts";
import { playDemo } from "../../../attester/cli/demo/story.ts";
import { virtualPace } from "../../../attester/cli/twin/pace.ts";
import { sourceFor } from "../../../attester/cli/twin/setup.ts";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import { toHex } from "../../../shared/bytes/index.ts";

interface Played {
  readonly held: boolean;
  readonly frames: readonly string[];
  readonly lines: readonly Record<string, unknown>[];
}

type Api = "v0" | "v1" | undefined;

async function play(seed: number | undefined, api?: Api, pace = virtualPace()): Promise<Played> {
  const frames: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const out = { write: (text: string) => lines.push(JSON.parse(text)) };
  const held = await playDemo({
    pace,
    api,
    source: sourceFor(seed),
    seeded: seed !== undefined,
    tpm: undefined,
    stage: jsonStage(out),
    onFrame: (direction, frame) => frames.push(`${direction} ${toHex(frame)}`),
  });
  return { held, frames, lines };
}

const facts = ({ lines }: Played, name: string) =>
  lines.filter((line) => line["type"] === "fact" && line["name"] === name).map((line) => line["value"]);

function lit(line: Record<string, unknown> | undefined): string {
  return nameLamps({ green: line?.["green"] === true, red: line?.["red"] === true });
}

describe("demo", function () {
  this.timeout(60_000);
  let first: Played;

  before(async () => {
    first = await play(7);
  });

  it("ends with every verdict as expected, and says so in its last line", () => {
    assert.equal(first.held, true);
    const last = first.lines.at(-1);
    assert.equal(last?.["type"], "end");
    const sentence = String(last?.["sentence"]);
    assert.match(sentence, /green for the recorded boot, red for the changed kernel \(PCR 17\), green again/);
    assert.match(
      sentence,
      /the disk key came back after a good boot; five tampered boots were red, each for its own reason, and got nothing/,
    );
    assert.ok(first.lines.every(({ type, good }) => type !== "outcome" || good === true));
  });

  it("tells eight acts of API v0, then seven of v1, with the same TPM and well within a minute", () => {
    assert.equal(first.lines.filter(({ type }) => type === "act").length, 15);
    assert.equal(facts(first, "TPM").length, 1);
    assert.equal(facts(first, "device id").length, 2);
    assert.notEqual(facts(first, "device id")[0], facts(first, "device id")[1]);
    const lastAt = Math.max(...first.lines.flatMap(({ at }) => (typeof at === "number" ? [at] : [])));
    assert.ok(lastAt > 45_000 && lastAt < 60_000, `${lastAt} ms`);
  });

  for (const [api, acts, absent] of [
    ["v0", 8, /API v1/],
    ["v1", 8, /API v0/],
  ] as const) {
    it(`tells one story only with --api ${api}`, async () => {
      const { held, lines } = await play(7, api);
      assert.equal(held, true);
      assert.equal(lines.filter(({ type }) => type === "act").length, acts);
      assert.match(String(lines.at(-1)?.["sentence"]), new RegExp(`^All verdicts as expected. API ${api}: `));
      assert.doesNotMatch(JSON.stringify(lines), absent);
    });
  }

  it("shows that the disk key that comes back is the one that was written, and who gets nothing", () => {
    const [written, read] = facts(first, "disk key").map((value) => /SHA-256 ([0-9a-f]{16})/.exec(String(value))?.[1]);
    assert.ok(written !== undefined);
    assert.equal(read, written);
    const outcomes = first.lines.flatMap(({ type, sentence }) => (type === "outcome" ? [String(sentence)] : []));
    assert.ok(outcomes.includes("the tampered boot gets nothing (4.04)"));
    assert.ok(outcomes.includes("the thief gets nothing (4.01)"));
    assert.ok(outcomes.includes("nor with the grant that the attester used (4.01)"));
  });

  it("names what was tampered with, each in its own words", () => {
    const outcomes = first.lines.flatMap(({ type, sentence }) => (type === "outcome" ? [String(sentence)] : []));
    assert.deepEqual(
      outcomes.filter((sentence) => sentence.includes(": red, ")),
      [
        "another loader: red, the loader is not as recorded",
        "another kernel: red, the kernel is not as recorded",
        "an initrd with a back door: red, the initrd is not as recorded",
        "a word more on the command line: red, the kernel's command line is not as recorded",
        "the same files without a dynamic launch: red, no dynamic launch happened",
      ],
    );
  });

  it("shows the lamps of API v1: green beside no red while the thief asks, dark three seconds after", () => {
    const at = first.lines.findIndex(({ sentence }) => sentence === "the thief gets nothing (4.01)");
    const lamps = (lines: Played["lines"]) => lines.filter(({ type }) => type === "lamps");
    assert.deepEqual([lamps(first.lines.slice(0, at)).at(-1)].map(lit), ["green"]);
    const gateAt = first.lines.findIndex(({ title }) => String(title).startsWith("The gate"));
    assert.deepEqual(lamps(first.lines.slice(at, gateAt)).map(lit), ["green+red", "dark"]);
  });

  it("ends behind a gate: the target runs, is red with PCR 17 and 18, and gets nothing", () => {
    const outcomes = first.lines.flatMap(({ type, sentence }) => (type === "outcome" ? [String(sentence)] : []));
    assert.deepEqual(outcomes.slice(-3), [
      "green, PCRs capped, the session over: the target runs",
      "red: behind the gate PCR 17 and 18 are not what was recorded",
      "the target gets nothing (4.04)",
    ]);
    assert.match(String(first.lines.at(-1)?.["sentence"]), /nor what the gate started/);
  });

  for (const api of ["v0", "v1"] as const) {
    it(`says so when a verdict of API ${api} is not the expected one`, async () => {
      const pace = virtualPace();
      // Nothing that is waited for comes.
      const { held, lines } = await play(7, api, {
        ...pace,
        until: async (_done, limitMs) => pace.until(() => false, limitMs),
      });
      assert.equal(held, false);
      assert.ok(lines.some(({ type, good }) => type === "outcome" && good === false));
      assert.equal(lines.at(-1)?.["good"], false);
      assert.match(String(lines.at(-1)?.["sentence"]), new RegExp(`not the expected one. API ${api}: not as expected`));
    });
  }

  it("with one seed it is the same run, frame by frame", async () => {
    const again = await play(7);
    assert.ok(first.frames.length > 50, `${first.frames.length} frames`);
    assert.deepEqual(again.frames, first.frames);
    assert.deepEqual(again.lines, first.lines);
  });

  it("marks a seeded run as insecure and shows device id, EK fingerprint and nonces, which another seed changes", async () => {
    const other = await play(8);
    assert.match(String(facts(first, "seed")[0]), /INSECURE/);
    for (const name of ["device id", "EK", "nonce", "disk key"]) {
      assert.ok(facts(first, name).length > 0, name);
      assert.notDeepEqual(facts(other, name), facts(first, name));
    }
    assert.equal(other.held, true);
  });

  it("without a seed two runs differ, and nothing is marked", async () => {
    const [a, b] = [await play(undefined), await play(undefined)];
    assert.equal(a.held && b.held, true);
    assert.notDeepEqual(a.frames, b.frames);
    assert.ok(a.lines.every(({ name }) => name !== "seed"));
  });
});
