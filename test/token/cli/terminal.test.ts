import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs } from "../../support/programs.ts";
import { openTerminal, type Terminal } from "../../support/terminal.ts";

const FOOT = "b hold or release the button   u unplug or plug   w wipe   q quit";
const DARK = "   g ○    r ○";
/** More log lines than the terminal has rows; even, so that the token is plugged in at the end. */
const MANY = 40;
const RED = "   g ○   [R ●]";

describe("fobnail token on a terminal", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-token-"));
  const terminals: Terminal[] = [];
  const state = join(folder, "state");

  before(function () {
    needs(this, "script", "stty");
  });

  after(async () => {
    await Promise.all(terminals.map((terminal) => terminal.kill()));
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (args: readonly string[], env?: NodeJS.ProcessEnv): Terminal => {
    const terminal = openTerminal(["token", ...args, "--state", state], env);
    terminals.push(terminal);
    return terminal;
  };
  const run = (env?: NodeJS.ProcessEnv) => open(["--api", "v0", "--attester", "127.0.0.1:9"], env);

  /** Lamps and meaning on top, then the log. */
  const shows = (lamps: string, meaning: string, lastLine: RegExp) => (lines: readonly string[]) => {
    const said = lines.filter((line) => line !== "");
    return said[0] === lamps && said[1] === `  ${meaning}` && said.at(-1) === FOOT && lastLine.test(said.at(-2) ?? "");
  };

  it("draws the lamps in place and the log below, obeys keys, and gives the cursor back on Ctrl-C", async () => {
    const terminal = run();
    const { picture } = terminal;
    await terminal.until("a red lamp", shows(RED, "not provisioned by an owner yet", / Link is up$/));
    assert.ok(picture.colored);
    assert.ok(!picture.cursorShown);
    const first = picture.lines.findIndex((line) => line.includes("Device id"));
    assert.ok(first > picture.lines.indexOf(RED), "the log is below the lamps");

    terminal.press("b");
    await terminal.until("the held button", shows(RED, "button held; ten seconds wipe the token", / Link is up$/));
    terminal.press("b");
    await terminal.until("a free button", shows(RED, "not provisioned by an owner yet", / Link is up$/));
    terminal.press("u");
    await terminal.until("an unplugged token", shows(DARK, "not plugged in", / Link is down$/));
    terminal.press("u");
    await terminal.until("a plugged token", shows(RED, "not provisioned by an owner yet", / Link is up$/));
    terminal.press("w");
    await terminal.until(
      "a question",
      shows(RED, "not provisioned by an owner yet", /y wipes, any other key does not$/),
    );
    terminal.press("x");
    await terminal.until("an answer", shows(RED, "not provisioned by an owner yet", / Not wiped$/));
    assert.equal(picture.lines.filter((line) => line === RED).length, 1, "redrawn, not repeated");

    terminal.press("u".repeat(MANY));
    const told = (lines: readonly string[]) => lines.filter((line) => / Link is (up|down)$/.test(line)).length;
    const full = (lines: readonly string[]) => told(lines) > MANY / 2 && lines.every((line) => !/Device/.test(line));
    await terminal.until("a full screen", full);
    await terminal.until("lamps above it", shows(RED, "not provisioned by an owner yet", / Link is up$/));

    terminal.press("\u0003");
    assert.equal(await terminal.ended, 0);
    assert.ok(picture.cursorShown);
    assert.ok(!existsSync(join(state, "flash.img.lock")), "the state is free again");
  });

  it("draws without colour when NO_COLOR is set, and ends on q", async () => {
    const terminal = run({ NO_COLOR: "1" });
    await terminal.until("a red lamp", shows(RED, "not provisioned by an owner yet", / Link is up$/));
    assert.ok(!terminal.picture.colored);
    terminal.press("q");
    assert.equal(await terminal.ended, 0);
    assert.ok(terminal.picture.cursorShown);
  });

  it("has a line for each of several sticks, and keys for the one that a digit chose", async () => {
    const terminal = open(["--usbip", "0", "--count", "2"], { NO_COLOR: "1" });
    const head =
      (...wanted: readonly string[]) =>
      (lines: readonly string[]) => {
        const said = lines.filter((line) => line !== "");
        return wanted.every((line, i) => said[i] === line) && said.at(-1)?.startsWith("1-2 choose   b hold") === true;
      };
    const row = (marker: string, stick: string, meaning: string) => `${marker} ${stick}  ${DARK.slice(2)}   ${meaning}`;
    const WAITS = "waits for a computer";
    await terminal.until("two sticks", head(row(">", "1-1", WAITS), row(" ", "1-2", WAITS)));
    terminal.press("2");
    await terminal.until("the second chosen", head(row(" ", "1-1", WAITS), row(">", "1-2", WAITS)));
    terminal.press("u");
    await terminal.until("it unplugged", head(row(" ", "1-1", WAITS), row(">", "1-2", "not plugged in")));
    terminal.press("3"); // there is none
    terminal.press("q");
    assert.equal(await terminal.ended, 0);
  });

  it("asks before the wipe command wipes", async () => {
    for (const [answer, code, said] of [
      ["n", 1, "error: not wiped"],
      ["", 1, "error: not wiped"],
      ["y", 0, `${state}: wiped`],
    ] as const) {
      const terminal = open(["wipe"]);
      await terminal.until("a question", (lines) => lines.join("").includes("[y/N]"));
      terminal.press(`${answer}\r`);
      assert.equal(await terminal.ended, code);
      assert.ok(terminal.picture.lines.includes(said), terminal.picture.lines.join("\n"));
    }
  });

  it("asks before an import replaces a token", async () => {
    const backup = join(folder, "backup.img");
    const exported = open(["flash", "export", backup]);
    assert.equal(await exported.ended, 0);
    for (const [answer, code, said] of [
      ["n", 1, "error: not imported"],
      ["y", 0, `${state}: imported from ${backup}`],
    ] as const) {
      const terminal = open(["flash", "import", backup]);
      await terminal.until("a question", (lines) => lines.join("").includes("Replace the token in"));
      terminal.press(`${answer}\r`);
      assert.equal(await terminal.ended, code);
      assert.ok(terminal.picture.lines.includes(said), terminal.picture.lines.join("\n"));
    }
  });

  it("shows no bytes there that would steer it", async () => {
    const token = run({ NO_COLOR: "1" }); // makes the identity anew
    await token.until("a red lamp", shows(RED, "not provisioned by an owner yet", / Link is up$/));
    token.press("q");
    assert.equal(await token.ended, 0);
    const terminal = open(["flash", "cat", "identity", "--secret"]);
    assert.equal(await terminal.ended, 1);
    assert.match(terminal.picture.lines.join(""), /error: 52 bytes that are not text: send them to a file, with >/);
  });
});
