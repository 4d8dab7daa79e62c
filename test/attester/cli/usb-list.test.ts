import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "../../support/process.ts";

describe("fobnail usb list", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-usb-list-"));
  let server = "";

  before(async () => {
    const token = processes.start(["token", "--usbip", "0", "--count", "2", "--state", folder]);
    const [, address = ""] = await token.line(/USB\/IP on (127\.0\.0\.1:\d+): 1-1, 1-2$/);
    server = `usbip:${address}`;
  });
  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const list = (...args: readonly string[]) => processes.run(["usb", "list", ...args]);

  it("shows what is on USB/IP, as a table and as JSON", async () => {
    const { code, text } = await list("--usb", server);
    assert.equal(code, 0);
    assert.deepEqual(
      text.split("\n").map((line) => line.split(/\s+/).slice(0, 2)),
      [
        ["AT", "ID"],
        ["1-1", "1234:4321"],
        ["1-2", "1234:4321"],
      ],
    );
    const one = await list("--usb", `${server}/1-2`);
    assert.deepEqual(one.text.match(/^\d-\d/gm), ["1-2"]);
    const json = await processes.run(["usb", "--json", "--usb", server]); // list is what is meant
    assert.deepEqual(
      json.text.split("\n").map((line) => JSON.parse(line)),
      ["1-1", "1-2"].map((at) => ({ at, id: "1234:4321", state: "unknown", isToken: true })),
    );
  });

  it("this computer's: sticks, or that there are none, or that there is no USB", async () => {
    for (const args of [[], ["--all"], ["--usb", "no such serial"]]) {
      const { code, text } = await list(...args);
      if (!existsSync("/sys/bus/usb/devices")) {
        assert.match(text, /^error: this machine has no USB: there is no \/sys\/bus\/usb\/devices$/);
        assert.equal(code, 3);
      } else {
        assert.match(text, /^(AT +ID |No Fobnail token is plugged in)/);
        assert.equal(code, 0);
      }
    }
  });

  it("3: no server; 2: no address", async () => {
    const gone = await list("--usb", "usbip:127.0.0.1:1");
    assert.equal(gone.text, "error: the USB/IP server 127.0.0.1:1 is not running: nothing listens there");
    assert.equal(gone.code, 3);
    const wrong = await list("--usb", "usbip:");
    assert.match(wrong.text, /not an address/);
    assert.equal(wrong.code, 2);
  });
});
