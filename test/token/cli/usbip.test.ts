import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../../hw/clock/real.ts";
import { openStickLink } from "../../../hw/usb-host/stick-link.ts";
import { createUsbipHost } from "../../../hw/usb-host/usbip-host.ts";
import { decode, toHex } from "../../../shared/bytes/index.ts";
import { createHost, EthernetFrame } from "../../../shared/net/index.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { DescriptorType, LANGUAGE_ID, Request, RequestType, StringDescriptor } from "../../../shared/usb/index.ts";
import { type Process, Processes } from "../../support/process.ts";
import { needs } from "../../support/programs.ts";

const silent: Log = { write: () => undefined };

/** A token process as a USB device, and the programs of owner and computer that reach it there without the kernel. */
describe("fobnail token --usbip", function () {
  this.timeout(120_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-usbip-"));
  const path = (...names: readonly string[]) => join(folder, ...names);
  const tpm = ["--tpm", `emulator:${path("tpm")}`, "--platform", "apu2", "--no-aia"];
  const roots = ["--owner-root", path("owner", "root.pem"), "--ek-root", path("vendor", "vendor-root.pem")];

  before(async function () {
    needs(this, "tshark");
    await done("tpm", "manufacture", ...tpm.slice(0, 2), "--out", path("vendor"));
    await done("owner", "init", path("owner"), "--key", "ecc");
  });
  afterEach(() => processes.killAll());
  after(() => rmSync(folder, { recursive: true, force: true }));

  const done = async (...args: readonly string[]) => {
    const outcome = await processes.run(args);
    assert.equal(outcome.code, 0, outcome.text);
    return outcome.text;
  };
  const start = (...args: readonly string[]) => processes.start(["token", "--usbip", "0", ...args]);
  const addressOf = async (token: Process, busids: string) => {
    const [, address = ""] = await token.line(new RegExp(`USB/IP on (127\\.0\\.0\\.1:\\d+): ${busids}$`));
    return address;
  };

  it("v1: provisioned, enrolled, attested, with a file, unplugged and plugged in again, and all of it in the capture", async () => {
    const file = path("stick.pcapng");
    const token = start("--state", path("one"), "--pcap", file, ...roots);
    const address = await addressOf(token, "1-1");
    const usb = `usbip:${address}/1-1`;
    await token.line(new RegExp(`fobnail token attach --usbip ${address}; or without: fobnail attester --usb ${usb}$`));
    await token.line(/lamps dark: waits for a computer$/);
    assert.match(await done("usb", "list", "--usb", `usbip:${address}`), /^1-1 +1234:4321 /m);

    await done("owner", path("owner", "chain.pem"), path("owner", "key.pem"), "--usb", usb, "--yes");
    await token.line(/lamps .*: provisioned; nobody is attested$/);
    await token.line(/lamps dark: waits for a computer$/);
    const computer = ["--usb", usb, ...tpm, "--launch"];
    writeFileSync(path("key"), "secret\n");
    await done("attester", "-w", `${path("key")}:luks`, "--provision", ...computer);
    await token.line(/lamps green: .* booted as recorded$/);
    await done("attester", "-r", `luks:${path("copy")}`, ...computer);
    assert.equal(readFileSync(path("copy"), "utf8"), "secret\n");

    const watch = processes.start(["attester", "watch", "--interval", "1", ...computer]);
    await watch.line(/Attested with/);
    await token.line(/lamps green: .* booted as recorded$/);
    token.type("u");
    await token.line(/lamps .*: not plugged in$/);
    await watch.line(/The stick 1-1 is gone/);
    token.type("u");
    await watch.line(/The stick 1-1 is there/);
    await token.line(/lamps green: .* booted as recorded$/);
    assert.equal(await watch.kill("SIGINT"), 0);
    await token.line(/lamps .*: waits for a computer$/);
    assert.equal(await token.kill("SIGINT"), 0);

    const seen = (filter: string, field: string) => {
      const args = ["-n", "-r", file, "-Y", filter, "-T", "fields", "-e", field];
      const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      return new Set(text.trim().split("\n"));
    };
    assert.ok(seen("coap && frame.packet_flags_direction == 1", "coap.opt.uri_path").has("api,v1,admin,token_provision") || seen("coap", "coap.opt.uri_path").size > 5); // biome-ignore format: one claim
    assert.deepEqual(seen("arp.opcode == 2", "arp.src.hw_mac"), new Set(["00:11:22:33:44:55"]));
    assert.ok(seen('frame.comment contains "SET_CONFIGURATION(1): done"', "frame.number").size > 3);
    assert.deepEqual(seen("_ws.malformed", "frame.number"), new Set([""]));
  });

  it("--count 3: each its own bus id, MAC, serial number, state and device id; keys for the one that was chosen", async () => {
    const token = start("--state", path("three"), "--count", "3", "--serial", "LAB", "--json");
    type Told = Readonly<Record<string, unknown>>;
    const told = (what: string, wanted: (told: Told) => boolean) =>
      token.match(what, (line) => {
        const event: Told = JSON.parse(line);
        return wanted(event) ? event : undefined;
      });
    const ids: string[] = [];
    for (const stick of ["1-1", "1-2", "1-3"]) {
      const { message } = await told(`id of ${stick}`, (event) => event["stick"] === stick && /Device id/.test(String(event["message"]))); // biome-ignore format: one call
      ids.push(/Device id ([0-9A-F]+),/.exec(String(message))?.[1] ?? "");
    }
    assert.equal(new Set(ids).size, 3);
    const { port, busids } = await told("usbip", ({ type }) => type === "usbip");
    assert.deepEqual(busids, ["1-1", "1-2", "1-3"]);
    for (const number of [1, 2, 3]) assert.ok(existsSync(path("three", `${number}`, "flash.img")));

    const host = createUsbipHost({ host: "127.0.0.1", port: Number(port) });
    const looks = (await host.find()).map(async (stick) => {
      const claimed = await host.claim(stick);
      const serial = await claimed.control({ bmRequestType: RequestType.In, bRequest: Request.GetDescriptor, wValue: (DescriptorType.String << 8) | 3, wIndex: LANGUAGE_ID, wLength: 255 }, new Uint8Array(0)); // biome-ignore format: one request
      assert.ok(serial !== "stall");
      const driver = await openStickLink(claimed, { log: silent, clock: realClock });
      const { link } = driver;
      const macs = new Set<string>();
      link.onFrame((frame) => macs.add(toHex(decode(EthernetFrame, frame).source)));
      const computer = createHost({
        link,
        mac: Uint8Array.of(2, 0, 0, 0, 0, 8),
        address: "169.254.0.8",
        clock: realClock,
      });
      const { ok } = await computer.ping("169.254.0.1", new Uint8Array(1_000), 20_000);
      computer.close();
      await driver.close();
      return [stick.at, decode(StringDescriptor, serial), [...macs].join(), ok];
    });
    assert.deepEqual(await Promise.all(looks), [
      ["1-1", "LAB", "001122334455", true],
      ["1-2", "LAB-2", "001122334456", true],
      ["1-3", "LAB-3", "001122334457", true],
    ]);

    token.type("2");
    token.type("u");
    await told("1-2 unplugged", ({ stick, meaning }) => stick === "1-2" && meaning === "not plugged in");
    assert.deepEqual((await host.find()).map(({ at }) => at), ["1-1", "1-3"]); // biome-ignore format: one claim
    token.type("9"); // there is none
    token.type("u");
    await told("1-2 plugged in", ({ stick, meaning }) => stick === "1-2" && meaning === "waits for a computer");
    assert.equal((await host.find()).length, 3);
    token.type("1");
    token.type("w");
    token.type("y");
    await told("1-1 wiped", ({ stick, type }) => stick === "1-1" && type === "wiped");
    token.type("q");
    assert.equal(await token.ended, 0);
    await host.close();
    for (const [index, id] of ids.entries()) {
      const facts = JSON.parse(await done("token", "flash", "--json", "--state", path("three", `${index + 1}`)));
      assert.equal(facts.deviceId === id, index !== 0, `stick ${index + 1}`);
    }
  });

  it("locks every state, and gives all back when one is in use", async () => {
    const token = processes.start(["token", "--port", "0", "--state", path("two", "2")]);
    await token.line(/Listening/);
    const { code, text } = await processes.run(["token", "--usbip", "0", "--count", "2", "--state", path("two")]);
    assert.equal(code, 1, text);
    assert.ok(!existsSync(path("two", "1", "flash.img.lock")));
    assert.equal(await token.kill("SIGTERM"), 0);
  });

  it("warns where other computers can reach it", async () => {
    const token = processes.start(["token", "--usbip", "0.0.0.0:0", "--state", path("open"), "--unplugged"]);
    await token.line(/USB\/IP on 0\.0\.0\.0:\d+: 1-1$/);
    await token.line(
      /Other computers can reach 0\.0\.0\.0: USB\/IP knows no password, whoever comes first has the stick$/,
    );
    assert.equal(await token.kill("SIGTERM"), 0);
  });

  it("3: the port is taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const { code, text } = await processes.run(["token", "--usbip", `${address.port}`, "--state", path("taken")]);
    assert.match(text, new RegExp(`error: TCP port ${address.port} of 127\\.0\\.0\\.1 cannot be had`));
    assert.equal(code, 3);
    server.close();
  });
});

describe("fobnail token, links that do not go together", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const state = mkdtempSync(join(tmpdir(), "fobnail-links-"));
  after(() => rmSync(state, { recursive: true, force: true }));

  for (const [args, sentence] of [
    [["--usbip", "--tap"], /error: --usbip and --tap exclude each other: a token has one link/],
    [["--net", "udp", "--usbredir", "socket"], /error: --net and --usbredir exclude each other/],
    [["--count", "2"], /error: --count is for --usbip: any other link carries one stick/],
    [["--tap", "--count", "2"], /error: --count is for --usbip/],
    [["--usbip", "--count", "10"], /A whole number from 1 to 9 belongs here/],
    [["--usbip", "--count", "2", "--once"], /error: --once is for one stick/],
    [["--usbip", "localhost"], /PORT or HOST:PORT belongs here/],
    [["--usbip", "127.0.0.1:70000"], /PORT or HOST:PORT belongs here/],
    [["--usbip", "::1:3240"], /PORT or HOST:PORT belongs here/],
    [["--usbredir", "70000"], /PORT or HOST:PORT belongs here/],
    [["--usbredir", "127.0.0.1:70000"], /PORT or HOST:PORT belongs here/],
    [
      ["--usbredir", `/${"x".repeat(107)}`],
      /The path of a socket, of at most 107 bytes, or \[HOST:\]PORT belongs here/,
    ],
    [["--serial", "a b", "--usbip"], /1 to 120 letters, digits and signs belong here/],
    [["--serial", "", "--usbip"], /1 to 120 letters/],
    [["--serial", "A1", "--net", "udp"], /error: --serial is of a USB stick: --net udp shows none/],
    [["--serial", "A1", "--tap"], /error: --serial is of a USB stick: --tap shows none/],
    [
      ["--port", "5684", "--usbip"],
      /error: --port is of a socket on this machine: over --usbip the token has an address of its own, 169\.254\.0\.1, and port 5683/,
    ],
    [["--bind", "127.0.0.1", "--usbredir", "s"], /error: --bind is of a socket on this machine: over --usbredir/],
    [["--pcap", "/nowhere/file"], /error: \/nowhere\/file cannot be written: its folder is not there/],
    [["--pcap", "/dev/null"], /error: \/dev\/null is no ordinary file: a capture needs one/],
  ] as const) {
    it(`2: ${args.join(" ").slice(0, 60)}`, async () => {
      const { code, text } = await processes.run(["token", ...args, "--state", state]);
      assert.match(text, sentence);
      assert.equal(code, 2);
    });
  }
});
