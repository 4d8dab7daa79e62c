import assert from "node:assert/strict";
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
