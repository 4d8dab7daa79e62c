import assert from "node:assert/strict";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { createJsonLog } from "../../../hw/terminal/log.ts";
import { printable } from "../../../hw/terminal/printable.ts";

/** What a peer may put into a text that people read: it steers a terminal, turns what stands beside it, hides, or is half a character. */
const STEERING = [
  ["\x1b", "\\x1b", "\\u001b"],
  ["\x7f", "\\x7f", "\\u007f"],
  ["\x9b", "\\x9b", "\\u009b"],
  ["\xad", "\\xad", "\\u00ad"],
  ["\u200b", "\\u200b", "\\u200b"],
  ["\u202e", "\\u202e", "\\u202e"],
  ["\u2028", "\\u2028", "\\u2028"],
  ["\u2029", "\\u2029", "\\u2029"],
  ["\u2066", "\\u2066", "\\u2066"],
  ["\ud800", "\\ud800", "\\ud800"],
  ["\ue000", "\\ue000", "\\ue000"],
  ["\u{e0041}", "\\u{e0041}", "\\udb40\\udc41"],
] as const;

const SEEN = "żółw ✓ 亀 🐢 \ufffd";

describe("text of peers", () => {
  for (const [character, forPeople, forPrograms] of STEERING) {
    it(`with ${forPeople} shows it to people, and has it escaped for programs`, () => {
      const text = `a${character}b`;
      assert.equal(printable(text), `a${forPeople}b`);
      const line = jsonLine({ text });
      assert.equal(line, `{"text":"a${forPrograms}b"}`);
      assert.deepEqual(JSON.parse(line), { text });
    });
  }

  it("is as it was where it steers nothing", () => {
    assert.equal(printable(SEEN), SEEN);
    assert.equal(jsonLine({ text: SEEN }), `{"text":"${SEEN}"}`);
  });

  it("is escaped in logs for programs, message and facts", () => {
    let told = "";
    createJsonLog({ write: (line) => (told += line) }).write("info", "a\x9bb\u202e", { serial: "\x7f\u2028" });
    assert.match(told, /^\{.*"serial":"\\u007f\\u2028","msg":"a\\u009bb\\u202e"\}\n$/);
  });
});
