import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { onKeys } from "../../../hw/terminal/keys.ts";
import { drawLamps, nameLamps } from "../../../hw/terminal/lamps.ts";

const CASES = [
  [{ green: false, red: false }, " g ○    r ○ ", "dark"],
  [{ green: true, red: false }, "[G ●]   r ○ ", "green"],
  [{ green: false, red: true }, " g ○   [R ●]", "red"],
  [{ green: true, red: true }, "[G ●]  [R ●]", "green+red"],
] as const;

describe("hw/terminal lamps", () => {
  for (const [lamps, picture, name] of CASES) {
    it(`tells ${name} by position, letter and shape, without colour`, () => {
      assert.equal(drawLamps(lamps, { colors: false }), picture);
      assert.equal(nameLamps(lamps), name);
    });
  }

  it("adds colour only when asked", () => {
    const lamps = { green: true, red: false };
    assert.ok(drawLamps(lamps, { colors: true }).includes("\u001b["));
    assert.ok(!drawLamps(lamps, { colors: false }).includes("\u001b"));
  });
});

describe("hw/terminal keys", () => {
  it("takes the first word of each line from a pipe and stops when told", async () => {
    const pipe = new PassThrough();
    const keys: string[] = [];
    const ended = new Promise<void>((resolve) => {
      const stop = onKeys(pipe, (key) => {
        keys.push(key);
        if (key === "q") {
          stop();
          resolve();
        }
      });
    });
    pipe.write("b\n\n  u now\nq\n");
    await ended;
    assert.deepEqual(keys, ["b", "u", "q"]);
  });
});
