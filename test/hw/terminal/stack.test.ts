import assert from "node:assert/strict";
import { createJsonLog, createTextLog } from "../../../hw/terminal/log.ts";
import { collectedText } from "../../support/collected-text.ts";

function bug(): Error {
  return new RangeError("no\x1b[2J room", { cause: new TypeError("because") });
}

describe("a bug in the log", () => {
  it("is followed by its stack and its causes for people, on lines that steer nothing", () => {
    const [out, err] = [collectedText(), collectedText()];
    createTextLog({ out, err }).write("error", "CoAP: GET failed", { path: ["ek"], error: bug() });
    const lines = err.text.split("\n");
    assert.deepEqual(lines.slice(0, 2), ["error: CoAP: GET failed", "RangeError: no\\x1b[2J room"]);
    assert.match(lines[2] ?? "", /^ {4}at bug \(.*stack\.test\.ts:\d+/);
    const cause = lines.indexOf("caused by TypeError: because");
    assert.match(lines[cause + 1] ?? "", /^ {4}at bug \(/);
    assert.deepEqual([out.text, lines.at(-1)], ["", ""]);
  });

  it("has its stack as a fact for programs", () => {
    const out = collectedText();
    createJsonLog(out).write("error", "CoAP: GET failed", { path: ["ek"], error: bug() });
    const { error, path, stack } = JSON.parse(out.text);
    assert.deepEqual([error, path], ["no\x1b[2J room", ["ek"]]);
    assert.match(stack, /^RangeError: no.*\n {4}at bug [\s\S]*\ncaused by TypeError: because\n {4}at bug /);
    assert.equal(out.text.indexOf("\n"), out.text.length - 1);
  });

  it("is nothing of another level, and nothing that has no Error among its facts", () => {
    for (const [level, error] of [
      ["warn", bug()],
      ["error", "a sentence"],
    ] as const) {
      const [err, out] = [collectedText(), collectedText()];
      createTextLog({ out: err, err }).write(level, "said", { error });
      createJsonLog(out).write(level, "said", { error });
      assert.match(err.text, /^(warning|error): said\n$/);
      assert.equal("stack" in JSON.parse(out.text), false);
    }
  });

  it("has an end, though it be its own cause", () => {
    const error = bug();
    error.cause = error;
    const err = collectedText();
    createTextLog({ err }).write("error", "said", { error });
    assert.ok(err.text.length < 100_000);
  });
});
