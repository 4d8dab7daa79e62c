import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NetworkNamespace, needsOwnNetwork } from "../../support/netns.ts";
import { type Process, Processes } from "../../support/process.ts";
import { needs } from "../../support/programs.ts";

const TOKEN = "169.254.0.1";
/** Of the answers that a kernel's ping gets. */
const SIZES = [0, 1, 17, 18, 56, 500, 1_471, 1_472];

/** As the reference's build for PCs: a network interface of the kernel in the place of the stick. */
describe("fobnail token --tap", function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-tap-"));
  const processes = new Processes();
  let network: NetworkNamespace;
  let made = 0;

  before(function () {
    needsOwnNetwork(this);
    needs(this, "busybox", "setpriv", "coap-client-notls", "tshark");
    network = new NetworkNamespace();
  });
  afterEach(() => processes.killAll());
  after(() => {
    network?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const state = () => ["--state", join(folder, `state-${made++}`)];
  const start = (...args: readonly string[]) =>
    processes.start(["token", ...args, ...state()], { under: network.under });
  const run = (under: readonly string[], ...args: readonly string[]) =>
    processes.run(["token", ...args, ...state()], { under: [...network.under, ...under] });
  const there = (name: string) => network.run("ip", "-o", "link").includes(` ${name}: `);
  const ping = (size: number) => network.run("busybox", "ping", "-c", "1", "-W", "5", "-s", `${size}`, TOKEN);
  const up = (token: Process, name = "fobnail0") =>
    token.line(new RegExp(`TAP interface ${name}: this computer is 169\\.254\\.0\\.8, the token 169\\.254\\.0\\.1$`));
  const withoutRights = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];

  it("makes fobnail0 with the computer's address, is pinged by the kernel at all sizes, asked by libcoap, and takes it along", async () => {
    const file = join(folder, "tap.pcapng");
    const token = start("--tap", "--pcap", file);
    await up(token);
    await token.line(/lamps red: not provisioned by an owner yet$/);
    const address = network.run("ip", "-o", "address", "show", "dev", "fobnail0");
    assert.match(address, /inet 169\.254\.0\.8\/16 brd 169\.254\.255\.255 /);
    for (const size of SIZES) assert.match(ping(size), / 0% packet loss/, `${size} bytes`);
    const said = network.run("coap-client-notls", "-B", "10", "-m", "get", `coap://${TOKEN}/api/version`);
    assert.match(said, /versions/);

    assert.equal(await token.kill("SIGINT"), 0);
    assert.equal(there("fobnail0"), false);
    const seen = (filter: string, ...fields: readonly string[]) => {
      const args = ["-n", "-r", file, "-Y", filter, "-T", "fields", ...fields.flatMap((field) => ["-e", field])];
      const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      return [...new Set(text.trim().split("\n"))];
    };
    assert.deepEqual(seen("arp.opcode == 2 && frame.packet_flags_direction == 2", "arp.src.hw_mac", "frame.interface_name"), ["00:11:22:33:44:55\tfobnail0"]); // biome-ignore format: one claim
    assert.deepEqual(seen("icmp.type == 0", "data.len").filter(Boolean), SIZES.filter(Boolean).map(String));
    assert.deepEqual(seen("coap && frame.packet_flags_direction == 2", "coap.code"), ["69"]);
  });

  it("u pulls the cable and plugs it in again; a name of one's own; q ends", async () => {
    const token = start("--tap", "stick7");
    await up(token, "stick7");
    await token.line(/Link is up$/);
    token.type("u");
    await token.line(/lamps dark: not plugged in$/);
    assert.match(network.run("ip", "link", "show", "stick7"), /NO-CARRIER/);
    assert.throws(() => ping(56));
    token.type("u");
    await token.line(/Link is up$/);
    assert.match(ping(56), / 0% packet loss/);
    token.type("q");
    assert.equal(await token.ended, 0);
    assert.equal(there("stick7"), false);
  });

  it("begins unplugged when told to, and says so as JSON", async () => {
    const token = start("--tap", "--unplugged", "--json");
    const event = await token.match("a tap line", (line) => {
      const told: Readonly<Record<string, unknown>> = JSON.parse(line);
      return told["type"] === "tap" ? told : undefined;
    });
    const { name, address, token: tokenAddress } = event;
    assert.deepEqual([name, address, tokenAddress], ["fobnail0", "169.254.0.8", TOKEN]);
    assert.throws(() => ping(56));
    assert.equal(await token.kill("SIGTERM"), 0);
  });

  it("v0: the token asks the computer behind the interface", async () => {
    const token = start("--tap", "--api", "v0", "--unplugged");
    await up(token); // the address is there
    const script = `const socket = require("node:dgram").createSocket("udp4");
      socket.on("message", (data, from) => { console.log(data[0] >> 4, from.address); socket.close(); });
      socket.bind(5683, "169.254.0.8", () => console.log("ready"));`;
    const [nsenter = "", ...namespace] = network.under;
    const listener = spawn(nsenter, [...namespace, process.execPath, "-e", script], { timeout: 30_000 });
    const lines = createInterface({ input: listener.stdout });
    assert.deepEqual(await once(lines, "line"), ["ready"]);
    token.type("u");
    assert.deepEqual(await once(lines, "line"), [`4 ${TOKEN}`]); // CON of CoAP 1
    assert.equal(await token.kill("SIGINT"), 0);
  });

  it("uses an interface that exists, as a user without rights too, and leaves it there", async () => {
    network.run("ip", "tuntap", "add", "mine", "mode", "tap", "user", "root");
    network.run("ip", "address", "add", "169.254.0.8/16", "dev", "mine");
    network.run("ip", "link", "set", "mine", "up");
    const token = processes.start(["token", "--tap", "mine", ...state()], {
      under: [...network.under, ...withoutRights],
    });
    await up(token, "mine");
    await token.line(/Link is up$/);
    assert.match(ping(56), / 0% packet loss/);
    const second = await run([], "--tap", "mine");
    assert.match(second.text, /The interface mine is in use by another program/);
    assert.equal(second.code, 3);
    assert.equal(await token.kill("SIGTERM"), 0);
    assert.ok(there("mine"));

    network.run("ip", "address", "flush", "dev", "mine");
    network.run("ip", "address", "add", "169.254.77.1/16", "dev", "mine");
    const other = start("--tap", "mine");
    await other.line(/TAP interface mine: this computer is 169\.254\.77\.1, the token 169\.254\.0\.1$/);
    assert.equal(await other.kill("SIGTERM"), 0);
    network.run("ip", "link", "delete", "mine");
  });

  it("without rights: runs on an interface without address and says who may give it one; makes none and says how", async () => {
    network.run("ip", "tuntap", "add", "bare", "mode", "tap", "user", "root");
    const token = processes.start(["token", "--tap", "bare", ...state()], {
      under: [...network.under, ...withoutRights],
    });
    await token.line(
      /Only root may give bare its address: ip address add 169\.254\.0\.8\/16 dev bare && ip link set bare up$/,
    );
    await up(token, "bare");
    network.run("ip", "address", "add", "169.254.0.8/16", "dev", "bare");
    network.run("ip", "link", "set", "bare", "up");
    assert.match(ping(56), / 0% packet loss/);
    assert.equal(await token.kill("SIGTERM"), 0);
    network.run("ip", "link", "delete", "bare");

    const { code, text } = await run(withoutRights, "--tap");
    assert.match(
      text,
      /error: Only root may make the interface fobnail0, here or before: ip tuntap add fobnail0 mode tap user \$USER$/m,
    );
    assert.equal(code, 3);
    assert.doesNotMatch(text, /\n\s+at /);
  });

  it("refuses what is no TAP interface, and names that are none", async () => {
    const { code, text } = await run([], "--tap", "lo");
    assert.match(text, /The interface lo exists and is no TAP interface: choose another name/);
    assert.equal(code, 3);
    for (const name of ["a/b", "sixteen-letters-", "tap%d", "."]) {
      const refused = await run([], "--tap", name);
      assert.match(refused.text, /The name of an interface, such as fobnail0, belongs here/, name);
      assert.equal(refused.code, 2);
    }
  });

  it("3: ends when the interface is deleted, and says so, with and without keys", async () => {
    for (const stdin of ["open", "closed"] as const) {
      const token = processes.start(["token", "--tap", ...state()], { under: network.under, stdin });
      await up(token);
      await token.line(/Link is up$/);
      network.run("ip", "link", "delete", "fobnail0");
      await token.line(/lamps dark: not plugged in$/);
      await token.line(/^error: The interface fobnail0 was deleted$/);
      assert.equal(await token.ended, 3);
    }
  });

  it("rests while nothing comes", async () => {
    const token = start("--tap");
    await up(token);
    await token.line(/Link is up$/);
    const ticks = () => {
      const stat = execFileSync("cat", [`/proc/${token.pid}/stat`], { encoding: "utf8" });
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(fields[11]) + Number(fields[12]); // utime and stime, in 1/100 s
    };
    ping(56);
    const before = ticks();
    execFileSync("sleep", ["3"]);
    assert.ok(ticks() - before < 30, `${ticks() - before} ticks of 300`);
    assert.equal(await token.kill("SIGTERM"), 0);
  });
});
