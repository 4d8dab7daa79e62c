import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { onKeys } from "../../../hw/terminal/keys.ts";

/** The keys that a terminal gives for what is typed there, each in a read of its own. */
function typed(...sequences: readonly string[]): readonly string[] {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const keys: string[] = [];
  const stop = onKeys(input, (key) => keys.push(key));
  for (const sequence of sequences) input.emit("data", Buffer.from(sequence));
  stop();
  return keys;
}

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

  it("takes single keys from a terminal, and Ctrl-C", () => {
    assert.deepEqual(typed("b", "U", "1", "\x03"), ["b", "u", "1", "ctrl-c"]);
  });

  it("takes no key with Ctrl or Alt for the key alone", () => {
    assert.deepEqual(typed("\x02", "\x15", "\x11", "\x19", "\x1bb", "\x1bu", "\x1b1", "\x1b[1;5B", "q"), ["q"]);
  });
});
