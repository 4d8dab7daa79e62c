import assert from "node:assert/strict";
import { jsonStage } from "../../../attester/cli/demo/stage.ts";
import { playDemo } from "../../../attester/cli/demo/story.ts";
import { virtualPace } from "../../../attester/cli/twin/pace.ts";
import { sourceFor } from "../../../attester/cli/twin/setup.ts";
import { toHex } from "../../../shared/bytes/index.ts";

interface Played {
  readonly held: boolean;
  readonly frames: readonly string[];
  readonly lines: readonly Record<string, unknown>[];
}

async function play(seed: number | undefined): Promise<Played> {
  const frames: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const out = { write: (text: string) => lines.push(JSON.parse(text)) };
  const held = await playDemo({
    pace: virtualPace(),
    source: sourceFor(seed),
    seeded: seed !== undefined,
    tpm: undefined,
    stage: jsonStage(out),
    onFrame: (direction, frame) => frames.push(`${direction} ${toHex(frame)}`),
  });
  return { held, frames, lines };
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
    assert.match(
      String(last?.["sentence"]),
      /green for the recorded boot, red for the changed kernel \(PCR 17\), green again/,
    );
    assert.ok(first.lines.every(({ type, good }) => type !== "outcome" || good === true));
  });

  it("tells eight acts", () => {
    assert.equal(first.lines.filter(({ type }) => type === "act").length, 8);
  });

  it("with one seed it is the same run, frame by frame", async () => {
    const again = await play(7);
    assert.ok(first.frames.length > 50, `${first.frames.length} frames`);
    assert.deepEqual(again.frames, first.frames);
    assert.deepEqual(again.lines, first.lines);
  });

  it("marks a seeded run as insecure and shows device id, EK fingerprint and nonces, which another seed changes", async () => {
    const other = await play(8);
    const facts = ({ lines }: Played, name: string) =>
      lines.filter((line) => line["type"] === "fact" && line["name"] === name).map((line) => line["value"]);
    assert.match(String(facts(first, "seed")[0]), /INSECURE/);
    for (const name of ["device id", "EK", "nonce"]) {
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
