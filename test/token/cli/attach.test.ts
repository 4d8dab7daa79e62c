import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NetworkNamespace, needsOwnNetwork } from "../../support/netns.ts";
import { type Process, Processes } from "../../support/process.ts";
import { needs } from "../../support/programs.ts";
import { Sta, VhciTree } from "../../support/vhci-tree.ts";

/** With files in the place of the kernel's; the kernel itself is tried in a virtual machine. */
describe("fobnail token attach", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-attach-"));
  let tree: VhciTree;
  let token: Process;
  let address = "";

  before(async () => {
    token = processes.start(["token", "--usbip", "0", "--state", join(folder, "state")]);
    [, address = ""] = await token.line(/USB\/IP on (127\.0\.0\.1:\d+): 1-1$/);
  });
  beforeEach(() => {
    tree = new VhciTree();
  });
  afterEach(() => tree.remove());
  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const attach = (...args: readonly string[]) => ["token", "attach", "--sysfs", tree.root, ...args];
  const run = (...args: readonly string[]) => processes.run(attach(...args));

  it("3: no interface comes; what happened till then is said", async () => {
    tree.port(0, Sta.Used, "3-1");
    const program = processes.start(attach("--usbip", address));
    await program.line(new RegExp(`^1-1 of ${address} \\(1234:4321\\) is plugged into port 1 of vhci-hcd$`));
    assert.match(tree.told("attach"), /^1 \d+ 65538 2$/);
    tree.port(1, Sta.Used, "3-2");
    tree.device("3-2");
    await program.line(
      /^error: Linux calls it 3-2, and has no driver that makes a network interface of it; as root: modprobe cdc_eem$/,
    );
    assert.equal(await program.ended, 3);
  });

  it("names the interface, gives it its address, and says how to unplug", async function () {
    needsOwnNetwork(this);
    const network = new NetworkNamespace();
    try {
      network.run("ip", "tuntap", "add", "usb7", "mode", "tap");
      // The server is in the other network: a token of its own for this one.
      const inside = processes.start(["token", "--usbip", "--state", join(folder, "inside")], { under: network.under });
      await inside.line(/USB\/IP on 127\.0\.0\.1:3240: 1-1$/);
      const program = processes.start(attach(), { under: network.under });
      await program.line(/^1-1 of 127\.0\.0\.1:3240 \(1234:4321\) is plugged into port 0 of vhci-hcd$/);
      tree.port(0, Sta.Used, "3-1");
      tree.device("3-1", "usb7");
      await program.line(
        /^Linux calls it 3-1; its interface usb7 has the address 169\.254\.0\.8, the token 169\.254\.0\.1$/,
      );
      await program.line(/^Unplug it with: fobnail token attach --detach 0$/);
      assert.equal(await program.ended, 0);
      assert.match(network.run("ip", "-o", "address", "show", "usb7"), /inet 169\.254\.0\.8\/16/);
      assert.match(network.run("ip", "link", "show", "usb7"), /[<,]UP[,>]/);
    } finally {
      network.close();
    }
  });

  it("--detach tells the kernel", async () => {
    assert.deepEqual(await run("--detach", "3"), { code: 0, text: "Port 3 is empty" });
    assert.equal(tree.told("detach"), "3");
  });

  it("1: not root, and the server is not even asked", async function () {
    needs(this, "setpriv");
    const { length } = token.lines;
    chmodSync(join(tree.root, "devices/platform/vhci_hcd.0/attach"), 0o000);
    const under =
      process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] : [];
    const { code, text } = await processes.run(attach("--usbip", address), { under });
    assert.match(text, /error: Only root may plug sticks into vhci-hcd$/m);
    assert.equal(code, 1);
    assert.ok(!token.lines.slice(length).some((line) => /imported/.test(line)));
  });

  it("3: without vhci-hcd, and the server is not even asked", async () => {
    const { length } = token.lines;
    const { code, text } = await processes.run(["token", "attach", "--sysfs", folder, "--usbip", address]);
    assert.match(text, /error: This kernel has vhci-hcd not loaded \(.*\); as root: modprobe vhci-hcd$/m);
    assert.equal(code, 3);
    assert.ok(!token.lines.slice(length).some((line) => /imported/.test(line)));
  });

  for (const [what, args, exit, sentence] of [
    [
      "no server",
      ["--usbip", "127.0.0.1:1"],
      3,
      /error: The USB\/IP server 127\.0\.0\.1:1 is not running: nothing listens there/,
    ],
    ["no such stick", ["--busid", "1-7"], 1, /error: The USB\/IP server .* does not give 1-7: it is not there/],
    ["no bus id", ["--busid", "x"], 2, /A bus id such as 1-1 belongs here/],
    ["no port", ["--detach", "-1"], 2, /A whole number from 0 to 1023 belongs here/],
  ] as const) {
    it(`${exit}: ${what}`, async () => {
      const server = args.some((arg) => arg === "--usbip") ? [] : ["--usbip", address];
      const { code, text } = await run(...server, ...args);
      assert.match(text, sentence);
      assert.equal(code, exit);
    });
  }

  it("1: all ports are in use; the stick is free again", async () => {
    for (const port of [0, 1, 4, 5]) tree.port(port, Sta.Used, "3-1");
    const { code, text } = await run("--usbip", address);
    assert.match(text, /error: All 4 ports of vhci-hcd are in use/);
    assert.equal(code, 1);
    await token.line(/let go of 1-1$/);
  });
});
