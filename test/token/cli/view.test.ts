import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { createJsonDisplay, createLineDisplay } from "../../../token/cli/view.ts";

function bug(): Error {
  return new RangeError("no\x1b[2J room");
}

const told = (stream: PassThrough): readonly string[] => String(stream.read()).trimEnd().split("\n");

describe("what a running token shows of a bug", () => {
  it("is its stack, each line with its time and its stick", () => {
    const stream = new PassThrough();
    const display = createLineDisplay(stream, ["1-1", "1-2"]);
    display.views[1]?.log.write("error", "CoAP: GET failed", { error: bug() });
    display.log.write("warn", "no stack here", { error: bug() });
    const lines = told(stream);
    for (const line of lines) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} /);
    const said = lines.map((line) => line.slice(13));
    assert.deepEqual(said.slice(0, 2), ["1-2 CoAP: GET failed", "1-2 RangeError: no\\x1b[2J room"]);
    assert.match(said[2] ?? "", /^1-2 {5}at bug \(.*view\.test\.ts:\d+/);
    assert.equal(said.at(-1), "no stack here");
  });

  it("is its stack in the same object for programs", () => {
    const stream = new PassThrough();
    const display = createJsonDisplay(stream, [undefined]);
    display.views[0]?.log.write("error", "CoAP: GET failed", { error: bug() });
    display.log.write("error", "no stack here", { error: "a sentence" });
    const [first, second] = told(stream).map((line) => JSON.parse(line));
    assert.deepEqual([first.type, first.level, first.message], ["log", "error", "CoAP: GET failed"]);
    const [head, frame] = first.stack.split("\n");
    assert.equal(head, "RangeError: no\x1b[2J room");
    assert.match(frame, /^ {4}at bug \(/);
    assert.equal("stack" in second, false);
  });
});
