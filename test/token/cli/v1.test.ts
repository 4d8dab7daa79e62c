import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Process, Processes } from "../../support/process.ts";

/** A person's view of a token of API v1, with the programs of owner and computer around it. */
describe("fobnail token, API v1", function () {
  this.timeout(120_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-v1-"));
  const path = (...names: readonly string[]) => join(folder, ...names);
  const tpm = ["--tpm", `emulator:${path("tpm")}`, "--platform", "apu2", "--no-aia"];
  const roots = ["--owner-root", path("owner", "root.pem"), "--ek-root", path("vendor", "vendor-root.pem")];

  const done = async (...args: readonly string[]) => {
    const outcome = await processes.run(args);
    assert.equal(outcome.code, 0, outcome.text);
    return outcome.text;
  };
  const start = (...args: readonly string[]) => processes.start(["token", "--port", "0", ...args]);
  const addressOf = async (token: Process) => {
    const [, address = ""] = await token.line(/Listening on (127\.0\.0\.1:\d+) \(UDP\)$/);
    return address;
  };
  const computer = (address: string, ...args: readonly string[]) =>
    processes.run(["attester", ...args, "--token", address, ...tpm]);

  before(async () => {
    await done("tpm", "manufacture", ...tpm.slice(0, 2), "--out", path("vendor"));
    await done("owner", "init", path("owner"), "--key", "ecc");
  });
  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const net of ["usb", "udp"] as const) {
    it(`--net ${net}: provisions, names, attests, keeps a file, says so; and ends green or red with --once`, async () => {
      const state = path(net);
      const token = start("--net", net, "--state", state, ...roots);
      const address = await addressOf(token);
      await token.line(/lamps red: not provisioned by an owner yet$/);
      const keys = [path("owner", "chain.pem"), path("owner", "key.pem")];
      await done("owner", ...keys, "--token", address, "--yes");
      await token.line(/lamps dark: provisioned; nobody is attested$/);
      writeFileSync(path("key"), "secret\n");
      const first = await computer(address, "-w", `${path("key")}:luks`, "--launch", "--provision");
      assert.equal(first.code, 0, first.text);
      await token.line(/is provisioned; nobody is attested$/);
      const [, name = ""] = await token.line(/lamps green: (.*) booted as recorded$/);
      await token.line(/lamps .*: .*; nobody is attested$/); // three seconds later
      const read = await computer(address, "-r", `luks:${path(`copy-${net}`)}`, "--launch");
      assert.equal(read.code, 0, read.text);
      assert.equal(readFileSync(path(`copy-${net}`), "utf8"), "secret\n");
      token.type("q");
      assert.equal(await token.ended, 0);

      const listed = JSON.parse(await done("token", "platforms", "--json", "--state", state));
      assert.deepEqual([listed.files, listed.sizeBytes], [1, 7]);
      assert.ok(listed.logEvents > 6, "the log of --launch");
      await done("token", "platforms", "rename", listed.id.slice(0, 8), "lab", "--state", state);

      const green = start("--net", net, "--state", state, "--once");
      const again = await computer(await addressOf(green), "attest", "--launch");
      assert.equal(again.code, 0, again.text);
      await green.line(new RegExp(`lamps green: lab \\(${name}\\) booted as recorded$`));
      assert.equal(await green.ended, 0, green.said());

      const red = start("--net", net, "--state", state, "--once");
      const tampered = await computer(await addressOf(red), "attest"); // no launch happened
      assert.equal(tampered.code, 1, tampered.text);
      await red.line(/lamps red: lab \(.*\) is not trusted: no dynamic launch happened: PCRs .*17, 18 differ$/);
      assert.equal(await red.ended, 1, red.said());
    });
  }

  it("tells events as JSON lines, and where it listens", async () => {
    const token = start("--net", "udp", "--state", path("udp"), "--json");
    type Told = Readonly<Record<string, unknown>> & { readonly type: string };
    const event = (type: string) =>
      token.match(type, (line) => {
        const told: Told = JSON.parse(line);
        return told.type === type ? told : undefined;
      });
    const { address, port } = await event("listening");
    assert.equal(address, "127.0.0.1");
    assert.ok(Number(port) > 0);
    const outcome = await computer(`127.0.0.1:${port}`, "attest");
    assert.equal(outcome.code, 1, outcome.text);
    await event("attestation-failed");
    const { verdict } = await event("attestation-explained");
    assert.deepEqual((verdict as { readonly pcrs: readonly number[] }).pcrs.slice(-2), [17, 18]);
    const good = await computer(`127.0.0.1:${port}`, "attest", "--launch");
    assert.equal(good.code, 0, good.text);
    const counts = [await event("attested-sessions"), await event("attested-sessions")].map(({ count }) => count);
    assert.deepEqual(counts, [1, 0]);
    assert.equal(await token.kill("SIGTERM"), 0);
    for (const line of token.lines) assert.equal(typeof JSON.parse(line).type, "string");
  });

  it("is asked by several programs at once over one emulated stick", async () => {
    await done("tpm", "manufacture", "--tpm", `emulator:${path("tpm2")}`, "--out", path("vendor2"));
    const token = start("--state", path("usb"), "--ek-root", path("vendor2", "vendor-root.pem"));
    const address = await addressOf(token);
    const facts = { mac: "02:00:00:00:00:01", manufacturer: "ACME", product_name: "board", serial_number: "2" };
    writeFileSync(path("second.json"), JSON.stringify(facts));
    const second = ["--platform", path("second.json"), "--launch", "--no-aia", "--provision"];
    const first = processes.start(["attester", "watch", "--token", address, ...tpm, "--launch"]);
    await token.line(/lamps green: lab \(.* booted as recorded$/);
    const other = await processes.run(["attester", "--token", address, "--tpm", `emulator:${path("tpm2")}`, ...second]);
    assert.equal(other.code, 0, other.text);
    await token.line(/lamps green: attested: 2 sessions, the latest of ACME board 2$/);
    await token.line(/lamps green: one computer booted as recorded$/); // which one, a count does not say
    assert.equal(await first.kill("SIGTERM"), 0);
    await token.line(/nobody is attested$/);
    assert.equal(await token.kill("SIGINT"), 0);
  });

  it("--enrol first: refuses a second platform with a sentence, until its owner removes the first", async () => {
    const state = path("first");
    const run = () => start("--net", "udp", "--state", state, ...roots, "--enrol", "first");
    const facts = { mac: "02:00:00:00:00:01", manufacturer: "ACME", product_name: "board", serial_number: "3" };
    writeFileSync(path("third.json"), JSON.stringify(facts));
    const token = run();
    const address = await addressOf(token);
    await done("owner", path("owner", "chain.pem"), path("owner", "key.pem"), "--token", address, "--yes");
    const first = await computer(address, "provision", "--launch");
    assert.equal(first.code, 0, first.text);
    const third = ["--platform", path("third.json"), "--launch", "--no-aia"];
    const other = (at: string) => processes.run(["attester", "provision", "--token", at, ...tpm.slice(0, 2), ...third]);
    const refused = await other(address);
    assert.equal(refused.code, 1, refused.text);
    assert.match(
      refused.text,
      /the token enrols no further platform: its owner removes the platforms that it knows, or/,
    );
    await token.line(/lamps .*: platform not provisioned: the token enrols no further platform; nobody is attested$/);
    assert.equal((await computer(address, "attest", "--launch")).code, 0);
    assert.equal(await token.kill("SIGTERM"), 0);

    const { id } = JSON.parse(await done("token", "platforms", "--json", "--state", state));
    await done("token", "platforms", "remove", id, "--yes", "--state", state);
    const again = run();
    const taken = await other(await addressOf(again));
    assert.equal(taken.code, 0, taken.text);
    assert.equal(await again.kill("SIGTERM"), 0);
  });

  it("keeps files within --file-limit and --quota", async () => {
    const token = start("--net", "udp", "--state", path("udp"), "--file-limit", "10", "--quota", "12");
    const address = await addressOf(token);
    writeFileSync(path("ten"), "x".repeat(10));
    writeFileSync(path("eleven"), "x".repeat(11));
    const write = (file: string) => computer(address, "-w", `${path(file)}:${file}`, "--launch");
    assert.equal((await write("eleven")).code, 1, "over the limit");
    assert.equal((await write("ten")).code, 1, "seven bytes are there already");
    const freed = await computer(address, "-d", "luks", "-w", `${path("ten")}:ten`, "--launch");
    assert.equal(freed.code, 0, freed.text);
    assert.equal(await token.kill("SIGTERM"), 0);
  });

  it("says that other computers can reach it, when they can", async () => {
    const token = start("--net", "udp", "--state", path("open"), "--bind", "0.0.0.0");
    await token.line(/Listening on 0\.0\.0\.0:\d+ \(UDP\)$/);
    await token.line(/Other computers can reach 0\.0\.0\.0/);
    assert.equal(await token.kill("SIGTERM"), 0);
    const local = start("--state", path("open"), "--unplugged");
    await addressOf(local);
    assert.equal(await local.kill("SIGTERM"), 0);
    assert.doesNotMatch(local.said(), /Other computers/);
  });

  it("3: the port is taken", async () => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    for (const net of ["usb", "udp"]) {
      const args = ["token", "--net", net, "--port", String(port), "--state", path("taken")];
      const { code, text } = await processes.run(args);
      assert.match(text, new RegExp(`UDP port ${port} of 127\\.0\\.0\\.1 is taken by another program`));
      assert.equal(code, 3);
    }
    socket.close();
  });
});

describe("fobnail token, options", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const refuses = async (args: readonly string[], sentence: RegExp) => {
    const { code, text } = await processes.run(["token", ...args]);
    assert.match(text, sentence);
    assert.equal(code, 2);
  };

  for (const [flag, value] of [["--attester", "127.0.0.1"], ["--owner", "127.0.0.1"], ["--enrol-new"]] as const) {
    it(`2: ${flag} in API v1`, async () => {
      await refuses([flag, ...(value === undefined ? [] : [value])], new RegExp(`${flag} is for --api v0 only: `));
    });
  }
  for (const [flag, value] of [
    ["--bind", "127.0.0.1"],
    ["--port", "0"],
    ["--file-limit", "1"],
    ["--quota", "1"],
  ] as const) {
    it(`2: ${flag} in API v0`, async () => {
      await refuses(["--api", "v0", flag, value], new RegExp(`${flag} is for --api v1 only: `));
    });
  }
  for (const [args, sentence] of [
    [["--bind", "localhost"], /An IPv4 address of this machine belongs here/],
    [["--port", "65536"], /A whole number from 0 to 65535 belongs here/],
    [["--file-limit", "0"], /A whole number from 1 to 16000 belongs here/],
    [["--file-limit", "16001"], /A whole number from 1 to 16000 belongs here/],
    [["--quota", "1e3"], /A whole number from 1 to 1048576 belongs here/],
    [["--enrol", "none"], /Allowed choices are any, first/],
    [["--api", "v0", "--enrol", "first", "--enrol-new"], /--enrol first and --enrol-new contradict each other/],
    [["--profile", "lax"], /Allowed choices are strict, compat/],
    [["--api", "v2"], /Allowed choices are v1, v0/],
  ] as const) {
    it(`2: ${args.join(" ")}`, () => refuses(args, sentence));
  }

  it("--print-profile shows each row with both settings, and marks the chosen profile", async () => {
    const { code, text } = await processes.run(["token", "--print-profile"]);
    assert.equal(code, 0);
    assert.match(text, /^ROW +DEVIATION +\*STRICT +COMPAT +ABOUT$/m);
    assert.match(text, /^storageGrants +D-59 +yes +no +each access/m);
    assert.match(text, /^\* profile strict is chosen/m);
    assert.match((await processes.run(["token", "--print-profile", "--api", "v0"])).text, /STRICT +\*COMPAT/);
    const json = await processes.run(["token", "--print-profile", "--profile", "compat", "--json"]);
    const { profile, rows } = JSON.parse(json.text);
    assert.equal(profile, "compat");
    const [first] = rows;
    assert.deepEqual([first.name, first.deviation, first.strict, first.compat, first.chosen], ["aik", "D-01", "restricted", "reference", "reference"]); // biome-ignore format: one row
  });
});
