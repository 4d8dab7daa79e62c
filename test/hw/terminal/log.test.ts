import assert from "node:assert/strict";
import { createJsonLog, createTextLog } from "../../../hw/terminal/log.ts";
import { printable } from "../../../hw/terminal/printable.ts";
import { collectedText } from "../../support/collected-text.ts";

describe("log for people", () => {
  it("writes info bare to the output, other levels with their names beside it", () => {
    const [out, err] = [collectedText(), collectedText()];
    const log = createTextLog({ out, err });
    log.write("info", "Received message: ek", { path: "/ek" });
    log.write("warn", "careful");
    log.write("error", "broken");
    log.write("debug", "not shown");
    assert.equal(out.text, "Received message: ek\n");
    assert.equal(err.text, "warning: careful\nerror: broken\n");
  });

  it("shows debug lines with their facts when it is asked to", () => {
    const err = collectedText();
    const log = createTextLog({ out: collectedText(), err, level: "debug" });
    log.write("debug", "sent", { bytes: Uint8Array.of(0, 0xff), error: new Error("why"), list: [1], n: 3n });
    log.write("debug", "bare");
    assert.equal(err.text, "debug: sent (bytes=00ff, error=why, list=[1], n=3)\ndebug: bare\n");
  });

  it("hides what is below its level", () => {
    const [out, err] = [collectedText(), collectedText()];
    const log = createTextLog({ out, err, level: "error" });
    for (const level of ["debug", "info", "warn", "error"] as const) log.write(level, level);
    assert.deepEqual([out.text, err.text], ["", "error: error\n"]);
  });

  it("does not let a peer's text steer the terminal or forge lines", () => {
    const out = collectedText();
    createTextLog({ out, err: collectedText() }).write("info", "Serial Number >\x1b[2J\nAttested\x9b1m\x7f<");
    assert.equal(out.text, "Serial Number >\\x1b[2J\\x0aAttested\\x9b1m\\x7f<\n");
    assert.equal(printable("żółw ✓"), "żółw ✓");
  });
});

describe("log for programs", () => {
  it("writes one JSON object a line", () => {
    const out = collectedText();
    const log = createJsonLog(out, "debug");
    log.write("info", "Received message: ek", { path: "/ek", bytes: Uint8Array.of(1, 0xab), big: 7n });
    log.write("debug", "b", { error: new Error("why") });
    const [first, second] = out.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(typeof first.time, "number");
    assert.deepEqual(
      { ...first, time: 0 },
      { level: "info", time: 0, path: "/ek", bytes: "01ab", big: "7", msg: "Received message: ek" },
    );
    assert.deepEqual([second.level, second.error, second.msg], ["debug", "why", "b"]);
  });

  it("hides debug lines unless it is asked to show them", () => {
    const out = collectedText();
    createJsonLog(out).write("debug", "hidden");
    assert.equal(out.text, "");
  });
});
