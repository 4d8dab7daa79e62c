import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRamFlash, STICK_GEOMETRY } from "../../../../hw/flash/index.ts";
import { openUdpPort } from "../../../../hw/net/udp.ts";
import { readCertificates } from "../../../../shared/x509/index.ts";
import { deepFolder } from "../../../support/deep-folder.ts";
import { Processes } from "../../../support/process.ts";
import { needs } from "../../../support/programs.ts";
import { openTerminal } from "../../../support/terminal.ts";
import { openUdpToken, type UdpToken } from "../../../support/v1-udp-token.ts";
import { run } from "./run.ts";

const PROGRAM = { program: "attester/owner/cli/main" } as const;

describe("fobnail-platform-owner CHAIN.pem KEY.pem", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-provision-"));
  const processes = new Processes();
  const tokens: UdpToken[] = [];
  let count = 0;

  before(async () => {
    assert.equal((await run("init", join(folder, "made"), "--key", "ecc")).code, 0);
  });

  afterEach(async () => {
    for (const token of tokens.splice(0)) await token.close();
  });

  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  /** An owner without a record, a blank token of its own, and the command's usual words. */
  async function scene(profile: "strict" | "compat" = "strict", flash = createRamFlash(STICK_GEOMETRY)) {
    const owner = join(folder, `owner-${++count}`);
    cpSync(join(folder, "made"), owner, { recursive: true });
    const [ownerRoot] = readCertificates(readFileSync(join(owner, "root.pem")));
    const token = await openUdpToken({ profile, ownerRoot: ownerRoot ?? assert.fail(), ekRoots: [], flash });
    tokens.push(token);
    const where = ["--token", `127.0.0.1:${token.peer.port}`];
    const command = [join(owner, "chain.pem"), join(owner, "key.pem"), ...where];
    return { owner, token, command, flash };
  }

  const issued = (owner: string) => JSON.parse(readFileSync(join(owner, "issued.json"), "utf8")).issued;
  const isProvisioned = (token: UdpToken) => token.events.some(({ type }) => type === "token-provisioned");

  for (const profile of ["strict", "compat"] as const) {
    it(`${profile}: the reference's usage, without a terminal, asks nobody; a second time is refused`, async () => {
      const { owner, token, command } = await scene(profile);
      const first = await processes.run(command, PROGRAM);
      assert.equal(first.code, 0, first.text);
      const [entry, ...more] = issued(owner);
      assert.deepEqual(more, []);
      const until = new Date(entry.notAfter).toISOString().slice(0, 10);
      assert.match(first.text, new RegExp(`^Issued certificate ${entry.serial} for token ${entry.deviceId}\\.`, "m"));
      assert.match(first.text, new RegExp(`^Token ${entry.deviceId} is provisioned; .* good until ${until}\\.$`, "m"));
      assert.ok(isProvisioned(token));
      const second = await processes.run(command, PROGRAM);
      assert.equal(second.code, 1);
      assert.match(second.text, /^error: the token is provisioned already; .*wipe it first \(4\.0[34]: /);
      assert.equal(issued(owner).length, 1);
    });
  }

  it("ends with a sentence on Ctrl-C while no token answers", async () => {
    const silent = await openUdpPort("127.0.0.1", 0);
    try {
      const { owner } = await scene();
      const files = ["chain", "key"].map((name) => join(owner, `${name}.pem`));
      const where = ["--token", `127.0.0.1:${silent.local.port}`];
      const chainAndKey = ["--chain", files[0] ?? "", "--key", files[1] ?? ""];
      for (const args of [
        [...files, ...where],
        ["platforms", ...where, ...chainAndKey],
      ]) {
        const program = processes.start(args, PROGRAM);
        await program.line(/^Waiting for the token at /);
        assert.equal(await program.kill("SIGINT"), 1, program.said());
        assert.match(program.said(), /^error: interrupted by SIGINT$/m);
      }
    } finally {
      await silent.close();
    }
  });

  it("--expect: another device is refused, this one not; --days, --record", async () => {
    const { owner, token, command } = await scene();
    const refused = await run(...command, "--expect", "A1");
    assert.equal(refused.code, 1);
    assert.match(refused.err, /error: the token gets no certificate \(not-expected\): ([0-9A-F]+) was not announced/);
    assert.ok(!readdirSync(owner).includes("issued.json"));
    assert.ok(!isProvisioned(token));
    const id = /\): ([0-9A-F]+) was/.exec(refused.err)?.[1] ?? "";
    const records = join(folder, "records");
    mkdirSync(records);
    const more = ["--record", records, "--days", "10", "--expect", "A1", "--expect", `0x0${id.toLowerCase()}`];
    const taken = await run(...command, ...more);
    assert.equal(taken.code, 0, taken.err);
    assert.ok(!readdirSync(owner).includes("issued.json"));
    const [entry] = issued(records);
    assert.equal(entry.notAfter - entry.notBefore, 10 * 86_400_000);
    assert.equal(entry.deviceId, id);
  });

  it("--json: one object on standard output, whatever came of it", async () => {
    const { owner, command } = await scene();
    const done = await run(...command, "--json", "--record", join(owner, "other.json"));
    const { serial, deviceId, ...facts } = JSON.parse(done.out);
    assert.match(serial, /^[0-9a-f]{40}$/);
    assert.deepEqual([facts.outcome, facts.again], ["provisioned", false]);
    assert.match(facts.from, /^\d{4}-\d\d-\d\dT/);
    assert.match(done.err, new RegExp(`Issued certificate ${serial} for token ${deviceId}`));
    const refused = await run(...command, "--json");
    assert.equal(refused.code, 1);
    const { message, ...more } = JSON.parse(refused.out);
    assert.deepEqual(more, { outcome: "refused", reason: "already-provisioned" });
    assert.match(refused.err, new RegExp(`error: ${message.slice(0, 30)}`));
  });

  it("2: a record that cannot be written; the token gets nothing", async () => {
    const { owner, token, command } = await scene();
    const record = join(deepFolder(owner, "issued.json.lock.1234567".length), "issued.json");
    const ended = await run(...command, "--record", record);
    assert.equal(ended.code, 2, ended.err);
    assert.match(ended.err, /error: .*issued\.json cannot be written: /);
    assert.ok(!isProvisioned(token));
  });

  it("3: no token there, after saying what is waited for", async () => {
    const { command } = await scene();
    const port = await openUdpPort("127.0.0.1", 0);
    try {
      const ended = await run(...command.slice(0, 2), "--token", `127.0.0.1:${port.local.port}`);
      assert.equal(ended.code, 3, ended.err);
      assert.match(ended.err, /^Waiting for the token at 127\.0\.0\.1:\d+ \.\.\.\nerror: no token answers at 127/);
      assert.equal(ended.out, "");
    } finally {
      await port.close();
    }
  });

  describe("on a terminal", () => {
    before(function () {
      needs(this, "script");
    });

    const asks = (lines: readonly string[]) =>
      lines.some((line) => /asks for a certificate\. Issue one\? \[y\/N\]/.test(line));

    it("shows the device id and issues when it hears yes", async () => {
      const { owner, token, command } = await scene();
      const terminal = openTerminal(["owner", ...command]);
      try {
        await terminal.until("the question", asks);
        assert.ok(!isProvisioned(token));
        terminal.press("y\r");
        assert.equal(await terminal.ended, 0);
        const [entry] = issued(owner);
        assert.match(
          terminal.picture.lines.join("\n"),
          new RegExp(`^Token ${entry.deviceId} \\(key [0-9a-f]{16}\\) asks`),
        );
        assert.ok(isProvisioned(token));
      } finally {
        await terminal.kill();
      }
    });

    for (const [name, keys] of [
      ["Enter", "\r"],
      ["Ctrl-D", "\u0004"],
    ] as const) {
      it(`${name} is no: 1, and nothing is issued`, async () => {
        const { owner, token, command } = await scene();
        const terminal = openTerminal(["owner", ...command]);
        try {
          await terminal.until("the question", asks);
          terminal.press(keys);
          assert.equal(await terminal.ended, 1);
          assert.match(terminal.picture.lines.join("\n"), /^error: token [0-9A-F]+ was turned away$/m);
          assert.ok(!readdirSync(owner).includes("issued.json"));
          assert.ok(!isProvisioned(token));
        } finally {
          await terminal.kill();
        }
      });
    }

    it("--yes and --expect ask nothing", async () => {
      const { token, command } = await scene();
      const terminal = openTerminal(["owner", ...command, "--yes"]);
      try {
        assert.equal(await terminal.ended, 0);
        assert.ok(!asks(terminal.picture.lines));
        assert.ok(isProvisioned(token));
      } finally {
        await terminal.kill();
      }
    });
  });
});
