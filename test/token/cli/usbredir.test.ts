import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine, type Process, Processes } from "../../support/process.ts";

/** "hello" and the version that begins every connection: 12 bytes of header, 64 of text, capabilities. */
const HELLO_HEADER_BYTES = 12;

describe("fobnail token --usbredir", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-usbredir-"));
  const socketPath = join(folder, "stick.sock");
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await processes.killAll();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const start = (...args: readonly string[]): Process =>
    processes.start(["token", ...args, "--state", join(folder, "state")]);
  const hello = async (socket: Socket): Promise<string> => {
    sockets.push(socket);
    const [chunk]: Buffer[] = await once(socket, "data");
    assert.ok(chunk !== undefined);
    return chunk.subarray(HELLO_HEADER_BYTES, HELLO_HEADER_BYTES + 7).toString("latin1");
  };

  it("listens at a UNIX socket, says how QEMU reaches it, and takes the socket along", async () => {
    const token = start("--usbredir", socketPath, "--pcap", join(folder, "file.pcapng"));
    await token.line(/usbredir at .*stick\.sock; for QEMU: -device qemu-xhci -chardev socket,id=fobnail,path=.*stick\.sock,reconnect=1 -device usb-redir,chardev=fobnail$/); // biome-ignore format: one pattern
    await token.line(/lamps dark: waits for a computer$/);
    assert.equal(await hello(createConnection(socketPath)), "fobnail");
    await token.line(/a virtual machine is connected$/);
    token.type("u");
    await token.line(/lamps dark: not plugged in$/);
    token.type("u");
    await token.line(/lamps dark: waits for a computer$/);
    assert.equal(await token.kill("SIGINT"), 0);
    assert.ok(!existsSync(socketPath));
  });

  it("listens at a TCP port, says so as JSON, and warns where others reach it", async () => {
    const token = start("--usbredir", "0.0.0.0:0", "--json");
    type Told = Readonly<Record<string, unknown>>;
    const told = (what: string, wanted: (told: Told) => boolean) =>
      token.match(what, (line) => {
        const event: Told = JSON.parse(line);
        return wanted(event) ? event : undefined;
      });
    const { address, port } = await told("usbredir", ({ type }) => type === "usbredir");
    assert.equal(address, "0.0.0.0");
    await told("a warning", ({ message }) => /Other computers can reach 0\.0\.0\.0: usbredir knows no password/.test(String(message))); // biome-ignore format: one call
    assert.equal(await hello(createConnection(Number(port), "127.0.0.1")), "fobnail");
    assert.equal(await token.kill("SIGTERM"), 0);
  });

  it("gives its state back when nobody reads on, though each further line fails too", () => {
    const [state, pcap] = [join(folder, "unread"), join(folder, "unread.pcapng")];
    const token = commandLine(["token", "--usbredir", socketPath, "--state", state, "--pcap", pcap]);
    const script = `{ ${token.map((word) => `"${word}"`).join(" ")} </dev/null; echo $? >&2; } | head -1`;
    const { stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
    assert.equal(stderr, "0\n");
    assert.deepEqual(readdirSync(state), ["flash.img"]);
    assert.ok(!existsSync(socketPath));
  });

  it("3: the path holds something else", async () => {
    writeFileSync(join(folder, "file"), "a file");
    const { code, text } = await processes.run([
      "token",
      "--usbredir",
      join(folder, "file"),
      "--state",
      join(folder, "s"),
    ]);
    assert.match(text, /^error: .*file is a file and no socket: remove it, or choose another name/m);
    assert.equal(code, 3);
  });

  it("takes a number alone for a port of the loopback address", async () => {
    const token = start("--usbredir", "0");
    await token.line(/usbredir at 127\.0\.0\.1:[1-9]\d*; for QEMU: .*host=127\.0\.0\.1,port=\d+,reconnect=1/);
    assert.equal(await token.kill("SIGTERM"), 0);
  });
});
