import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../../../hw/clock/real.ts";
import { openUdpPort } from "../../../../hw/net/udp.ts";
import { createEndpoint } from "../../../../shared/coap/index.ts";
import { readCertificates } from "../../../../shared/x509/index.ts";
import { FakeAttester } from "../../../support/fake-attester.ts";
import { FakeOwner } from "../../../support/fake-owner.ts";
import { needs } from "../../../support/programs.ts";
import { openTerminal } from "../../../support/terminal.ts";
import { askOver } from "../../../support/v1-asks.ts";
import { openUdpToken, type UdpToken } from "../../../support/v1-udp-token.ts";
import { V1Walk } from "../../../support/v1-walk.ts";
import { random } from "../../../support/x509.ts";
import { run } from "./run.ts";

describe("fobnail-platform-owner platforms", function () {
  this.timeout(60_000);
  let folder = "";
  let token: UdpToken;
  const owner = () => join(folder, "owner");
  const files = (whose = owner()) => ["--chain", join(whose, "chain.pem"), "--key", join(whose, "key.pem")];
  const where = () => ["--token", `127.0.0.1:${token.peer.port}`];
  const platforms = (...args: readonly string[]) => run("platforms", ...args, ...where(), ...files());

  async function listed(): Promise<readonly Record<string, unknown>[]> {
    const { out, err, code } = await platforms("--json");
    assert.equal(code, 0, err);
    return out.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  }

  async function issued(): Promise<readonly string[]> {
    const { out } = await run("list", owner(), "--json");
    return out.split("\n").flatMap((line) => (line === "" ? [] : [String(JSON.parse(line).deviceId)]));
  }

  async function enrol(serialNumber: string, computer = new FakeAttester({ aik: "restricted-rsa", serialNumber })) {
    const port = await openUdpPort("127.0.0.1", 0);
    const endpoint = createEndpoint({ port, clock: realClock, random });
    await new V1Walk(askOver(endpoint, token.peer), new FakeOwner(), computer).provisionPlatform();
    endpoint.close();
    await port.close();
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-platforms-"));
    for (const name of ["owner", "other"])
      assert.equal((await run("init", join(folder, name), "--key", "ecc")).code, 0);
    const [ownerRoot] = readCertificates(readFileSync(join(owner(), "root.pem")));
    const ekRoots = [new FakeAttester().vendor.certificate];
    token = await openUdpToken({ profile: "strict", ownerRoot: ownerRoot ?? assert.fail(), ekRoots });
  });

  after(async () => {
    await token.close();
    rmSync(folder, { recursive: true });
  });

  it("1: a token without an owner", async () => {
    const { code, err } = await platforms();
    assert.equal(code, 1);
    assert.match(err, /error: the token has no owner, or does not tell its platforms \(4\.04/);
  });

  it("lists in a table, and one JSON object a line", async () => {
    const done = await run(join(owner(), "chain.pem"), join(owner(), "key.pem"), ...where());
    assert.equal(done.code, 0, done.err);
    assert.equal((await platforms()).out, "The token knows no platform yet.\n");
    await enrol("1");
    await enrol("2");
    const { out } = await platforms("list");
    const lines = out.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^ID {12}NAME +MANUFACTURER +PRODUCT +SERIAL +FILES +BYTES +ATTESTED$/);
    for (const line of lines.slice(1)) assert.match(line, /^[0-9a-f]{12} {2}- {5}\S.* [12] +0 +0 +no$/);
    assert.equal(lines.length, 3);
    const [first, second] = await listed();
    assert.deepEqual([first?.["serialNumber"], second?.["serialNumber"]].sort(), ["1", "2"]);
    assert.equal(String(first?.["id"]).length, 64);
  });

  it("renames by first digits, then knows the name; options may stand before", async () => {
    const [first] = await listed();
    const id = String(first?.["id"]);
    const renamed = await run("platforms", ...where(), ...files(), "rename", id.slice(0, 8), "Büro");
    assert.equal(renamed.code, 0, renamed.err);
    assert.match(renamed.out, new RegExp(`^${id.slice(0, 12)} \\("Büro", .*\\)\\n$`));
    assert.match((await platforms()).out, /^[0-9a-f]{12} {2}Büro /m);
    const back = await platforms("rename", "Büro", "");
    assert.match(back.out, /: name taken away\n$/);
    assert.ok((await listed()).every(({ name }) => name === ""));
    const none = await platforms("rename", "Büro", "x");
    assert.equal(none.code, 1);
    assert.match(none.err, /error: the token has no platform "Büro"/);
  });

  it("names the one token of its record, or that of --expect; says so where it knows none", async () => {
    assert.equal((await platforms()).err, "");
    const [own] = await issued();
    assert.equal((await platforms("--expect", `0${own?.toLowerCase()}`)).code, 0);
    const another = await platforms("--expect", "1A2B");
    assert.equal(another.code, 1);
    assert.match(
      another.err,
      /error: the token is another one than 1A2B, or does not take .* \(4\.03: for token 1A2B\)/,
    );
    const unknown = await platforms("--record", folder);
    assert.equal(unknown.code, 0);
    assert.match(unknown.err, /good for any token of this owner: .* --expect does$/m);
    assert.equal((await platforms("--expect", "x")).code, 2);
    const misspelt = await platforms("--record", join(folder, "nowhere"));
    assert.equal(misspelt.code, 2);
    assert.match(misspelt.err, /nowhere is not there$/m);
  });

  it("1: another owner's key", async () => {
    const { code, err } = await run("platforms", ...where(), ...files(join(folder, "other")));
    assert.equal(code, 1);
    assert.match(err, /error: the token does not take this key for its owner's \(4\.03/);
  });

  it("remove asks on a terminal; anything but yes is no", async function () {
    needs(this, "script");
    const [first] = await listed();
    const command = ["owner", "platforms", "remove", String(first?.["id"]), ...where(), ...files()];
    for (const [keys, code, left] of [
      ["\r", 1, 2],
      ["\u0004", 1, 2],
      ["y\r", 0, 1],
    ] as const) {
      const terminal = openTerminal(command);
      try {
        await terminal.until("the question", (lines) => lines.some((line) => /with its 0 files\? \[y\/N\]/.test(line)));
        terminal.press(keys);
        assert.equal(await terminal.ended, code);
      } finally {
        await terminal.kill();
      }
      assert.equal((await listed()).length, left);
    }
  });

  it("remove --yes does not ask", async () => {
    const [first] = await listed();
    const removed = await platforms("remove", String(first?.["id"]).slice(0, 16), "--yes");
    assert.equal(removed.code, 0, removed.err);
    assert.match(removed.out, /^Removed [0-9a-f]{12} \(.*\), with its 0 files\.\n$/);
    assert.deepEqual(await listed(), []);
  });
});
