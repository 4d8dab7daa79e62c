/** The suite over a stick that it drives itself, as people run it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../hw/random/system.ts";
import { startProgram } from "../support/program.ts";
import { UsbTokens } from "../support/v1-usb-tokens.ts";
import { readKeys, writeKeys } from "./keys.ts";

describe("conformance over a stick that is driven from here", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-conformance-stick-"));
  const keys = join(folder, "keys");
  let tokens: UsbTokens;

  before(async () => {
    writeKeys(keys, systemRandom);
    const { owner, vendor } = readKeys(keys);
    tokens = new UsbTokens({ ownerRoot: owner.root, ekRoots: vendor === undefined ? [] : [vendor.certificate] });
    await tokens.start();
  });
  after(async () => {
    await tokens.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const conformance = (...args: readonly string[]) =>
    startProgram("test/conformance/main.ts", ["--usb", tokens.spec, "--keys", keys, ...args]);

  it("tries rows of all states, says what is out of reach, and gives the stick back", async () => {
    const run = conformance("--target", "usb", "--row", "VE-01", "TP-01", "PC-01", "EV-01", "NO-01", "LD-01");
    assert.equal(await run.ended, 0, run.output());
    assert.match(run.output(), /^usb:1-1, strict: 6 rows\n/);
    assert.match(run.output(), /\n6 rows: 5 pass, 0 fail, 1 not applicable/);
    assert.equal(tokens.isTaken(), false);
  });

  it("gives the stick back when it is interrupted", async () => {
    const run = conformance("--row", "SE");
    await run.until(/^pass {2}SE-/m);
    assert.equal(await run.end("SIGINT"), null);
    assert.equal(tokens.isTaken(), false);
  });

  it("says that there is no such stick", async () => {
    tokens.unplug();
    const run = conformance();
    assert.equal(await run.ended, 3);
    assert.match(run.output(), /^error: no Fobnail token is plugged in$/m);
    tokens.plug();
  });
});
