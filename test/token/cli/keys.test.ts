import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "../../support/process.ts";

const ID = /Device id ([0-9A-F]{1,16})/;

describe("fobnail token without a terminal", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-token-"));
  let made = 0;
  let state = "";

  beforeEach(() => {
    state = join(folder, `state-${made++}`);
  });

  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (...more: readonly string[]) =>
    processes.start(["token", "--api", "v0", "--state", state, "--attester", "127.0.0.1:9", ...more]);
  const lock = () => join(state, "flash.img.lock");

  it("takes keys as lines: b holds and releases, u unplugs and plugs, q quits", async () => {
    const token = start();
    await token.line(/lamps red: not provisioned by an owner yet$/);
    for (const [key, said] of [
      ["b", /lamps red: button held; ten seconds wipe the token$/],
      ["b", /lamps red: not provisioned by an owner yet$/],
      ["u", /lamps dark: not plugged in$/],
      ["u", /lamps red: not provisioned by an owner yet$/],
    ] as const) {
      token.type(key);
      await token.line(said);
    }
    assert.ok(existsSync(lock()));
    token.type("q");
    assert.equal(await token.ended, 0);
    assert.ok(!existsSync(lock()), "the state is free again");
  });

  it("asks before w wipes, and makes a new token of itself", async () => {
    const token = start();
    const [, before] = await token.line(ID);
    token.type("w");
    await token.line(/Wipe the token, .*\? y wipes, any other key does not$/);
    token.type("n");
    await token.line(/Not wiped$/);
    token.type("w");
    await token.line(/y wipes/);
    token.type("y");
    await token.line(/Storage is wiped$/);
    token.type("q");
    assert.equal(await token.ended, 0);
    const again = start();
    const [, after] = await again.line(ID);
    assert.notEqual(after, before);
    assert.equal(await again.kill("SIGTERM"), 0);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`ends well on ${signal}`, async () => {
      const token = start();
      await token.line(/Link is up$/);
      assert.equal(await token.kill(signal), 0);
      assert.ok(!existsSync(lock()), "the state is free again");
    });
  }

  it("goes on when its standard input ends, or never was there", async () => {
    const ending = start();
    ending.typeNoMore();
    const closed = processes.start(
      ["token", "--api", "v0", "--state", `${state}-closed`, "--attester", "127.0.0.1:9"],
      {
        stdin: "closed",
      },
    );
    for (const token of [ending, closed]) {
      await token.line(/owner's server did not answer/); // after five sends
      assert.equal(await token.kill("SIGINT"), 0);
    }
  });

  it("keeps its state from a second token and from the wipe command while it runs, and after it was killed no more", async () => {
    const token = start();
    await token.line(/Link is up$/);
    const inUse = new RegExp(`flash\\.img is in use by process ${token.pid}$`);
    for (const command of [["token"], ["token", "wipe", "--yes"]]) {
      const { code, text } = await processes.run([...command, "--state", state]);
      assert.match(text, inUse);
      assert.equal(code, 1);
    }
    assert.equal(await token.kill("SIGKILL"), "SIGKILL");
    assert.ok(existsSync(lock()));
    const { code, text } = await processes.run(["token", "wipe", "--yes", "--state", state]);
    assert.equal(code, 0, text);
  });

  it("tells everything as JSON, one object a line", async () => {
    const token = start("--json");
    await token.line(/"attached"/);
    token.type("u");
    await token.line(/"detached"/);
    token.type("q");
    assert.equal(await token.ended, 0);
    const told = token.lines.map((line) => JSON.parse(line));
    for (const { time, type } of told) {
      assert.equal(new Date(time).toISOString(), time);
      assert.equal(typeof type, "string");
    }
    const types = new Set(told.map(({ type }) => type));
    assert.deepEqual([...types].sort(), ["attached", "detached", "lamps", "log"]);
    const lit = told.filter(({ type }) => type === "lamps").map(({ green, red }) => [green, red]);
    assert.deepEqual(lit, [
      [false, false],
      [false, true],
      [false, false],
    ]);
  });
});
