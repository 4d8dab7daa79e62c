import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { readCertificates } from "../../../shared/x509/index.ts";
import { Process } from "../../support/process.ts";
import { UsbTokens } from "../../support/v1-usb-tokens.ts";
import { runHere } from "./run-here.ts";
import { AttesterPrograms, type Ended } from "./v1-scene.ts";

const POLL_MS = 20;

async function eventually(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += POLL_MS) {
    assert.ok(waitedMs < withinMs, `${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function says({ code, stdout, stderr }: Ended, wanted: number | string, pattern: RegExp): void {
  assert.match(`${stdout}${stderr}`, pattern);
  assert.doesNotMatch(stderr, /\n {4}at /, "no stack");
  assert.equal(code, wanted, stderr);
}

describe("host programs over USB without the kernel", function () {
  this.timeout(60_000);
  const programs = new AttesterPrograms();
  let tokens: UsbTokens;
  let computer: readonly string[] = [];
  const running: Process[] = [];

  before(async () => {
    const { spec, root } = await programs.manufacture("tpm");
    computer = ["--tpm", spec, "--platform", "apu2", "--launch", "--no-aia"];
    const made = await owner("init", "owner", "--key", "ecc");
    assert.equal(made.code, 0, made.text);
    const [ownerRoot] = readCertificates(readFileSync(programs.file("owner/root.pem")));
    assert.ok(ownerRoot !== undefined);
    tokens = new UsbTokens({ ownerRoot, ekRoots: [root], count: 2 });
    await tokens.start();
  });
  after(async () => {
    await Promise.all(running.map((program) => program.kill()));
    await tokens.stop();
    programs.close();
  });

  function start(...args: readonly string[]): Process {
    const program = new Process(args, { stdin: "closed" });
    running.push(program);
    return program;
  }
  async function owner(command: string, ...args: readonly string[]) {
    const files = args.map((arg) => (arg.startsWith("owner") ? programs.file(arg) : arg));
    const program = start("owner", ...(command === "" ? [] : [command]), ...files);
    const code = await program.ended;
    return { code, text: program.said() };
  }
  const first = () => `${tokens.spec}/1-1`;
  /** Without a TPM, which another program has. */
  const other = (...args: readonly string[]) =>
    programs.run([...args, "--platform", "apu2", "--tpm", `emulator:${programs.file("new")}`]);
  const attester = (...args: readonly string[]) => programs.run([...args, ...computer]);

  it("provision the token, then the platform, and keep a file", async () => {
    const provisioned = await owner("", "owner/chain.pem", "owner/key.pem", "--usb", first());
    assert.equal(provisioned.code, 0, provisioned.text);
    assert.match(provisioned.text, /^Token [0-9A-F]+ is provisioned/m);
    assert.equal(tokens.isTaken(), false);

    writeFileSync(programs.file("key"), "a disk's key");
    says(await attester("--usb", first(), "--provision", "-w", "key:luks"), 0, /Wrote key to luks/);
    says(await attester("attest", `--usb=${first()}`), 0, /Attested with/);
    says(await attester("--usb", first(), "-r", "luks:back"), 0, /Read luks into back/);
    assert.equal(readFileSync(programs.file("back"), "utf8"), "a disk's key");
    says(await attester("provision", "--usb", first()), 1, /this platform is already enrolled/);

    const keys = ["--chain", "owner/chain.pem", "--key", "owner/key.pem", "--usb", first()];
    const renamed = await owner("platforms", ...keys, "rename", "PC Engines", "x");
    assert.equal(renamed.code, 1, renamed.text);
    const listed = await owner("platforms", ...keys);
    assert.equal(listed.code, 0, listed.text);
    assert.match(listed.text, /PC Engines +apu2 +1373268 +1 /);
    assert.equal(tokens.isTaken(), false);
  });

  it("ask which of two sticks is meant, and list them", async () => {
    says(
      await attester("attest", "--usb", tokens.spec),
      2,
      /^error: 2 sticks are plugged in; say which by its place, such as --usb usbip:127\.0\.0\.1:\d+\/1-1:\n {2}1-1 {2}1234:4321\n {2}1-2 {2}1234:4321$/m,
    );
    const asked = await owner("", "owner/chain.pem", "owner/key.pem", "--usb", tokens.spec);
    assert.equal(asked.code, 2, asked.text);
    says(await attester("attest", "--usb", `${tokens.spec}/1-2`), 1, /the token/);
    tokens.unplug("1-2");
    says(await attester("attest", "--usb", tokens.spec), 0, /Attested with/);
    says(await attester("attest", "--usb", `${tokens.spec}/1-2`), 3, /1-2.*; there is:\n {2}1-1 /);
    tokens.plug("1-2");
  });

  it("watch a stick that is unplugged and plugged, a token that is killed and comes back", async () => {
    const watch = start("attester", "watch", "--interval", "60", "--usb", first(), ...computer);
    await watch.line(/^Attested with/);
    tokens.unplug();
    await watch.line(/^warning: The stick 1-1 is gone\.$/);
    await watch.line(/^Waiting for the stick: no Fobnail token .* is at that place; there is: 1-2 {2}1234:4321$/);
    const attested = tokens.attested;
    tokens.plug();
    await watch.line(/^The stick 1-1 is there\.$/);
    await eventually("attestation", () => tokens.attested > attested);

    await tokens.stop();
    await watch.line(/^warning: the (stick 1-1 is gone|USB.* is not running: nothing listens there)$/);
    await tokens.start();
    await watch.line(/^The stick 1-1 is there\.$/);
    await watch.line(/^Attested with/);

    says(await other("attest", "--usb", first()), 3, /^error: the USB\/IP server .* 1-1 is in use by somebody else$/m);
    assert.equal(await watch.kill("SIGINT"), 0);
    assert.equal(tokens.isTaken(), false);
    says(await attester("attest", "--usb", first()), 0, /Attested with/);
  });

  it("wait in watch for a stick that is not there yet", async () => {
    await tokens.stop();
    const watch = start("attester", "watch", "--usb", first(), "--json", ...computer);
    await watch.line(/"usb":"waiting"/);
    await watch.line(/"trusted":false,"reason":"token-silent"/);
    await tokens.start();
    await watch.line(/"usb":"found"/);
    await watch.line(/"trusted":true/);
    await tokens.stop();
    await watch.line(/"usb":"gone"/);
    await watch.line(/"trusted":false,"reason":"token-silent"/);
    assert.equal(await watch.kill("SIGTERM"), 3, watch.said());
    says(
      await attester("attest", "--usb", first()),
      3,
      /^error: the USB\/IP server 127.* is not running: nothing listens/m,
    );
    await tokens.start();
  });

  it("say that the stick is gone, without waiting for an answer", async () => {
    const attest = programs.start(["attest", "--usb", first(), "--verbose", ...computer]);
    await attest.until(/Using the stick 1-1/);
    tokens.unplug();
    says(await attest.ended, 3, /^error: the stick 1-1 is gone$/m);
    tokens.plug();
  });

  it("give the stick back when the owner's program is told to end", async () => {
    tokens.mute = true;
    const files = ["chain", "key"].map((name) => programs.file(`owner/${name}.pem`));
    const silent = start("owner", ...files, "--usb", first());
    await silent.line(/^Waiting for the token at /);
    assert.equal(tokens.isTaken(), true);
    assert.equal(await silent.kill("SIGINT"), 1, silent.said());
    assert.equal(tokens.isTaken(), false);
    assert.match(silent.said(), /^error: interrupted by SIGINT$/m);
    tokens.mute = false;
  });

  it("end on Ctrl-C while a server says nothing", async () => {
    const server = createServer((socket) => socket.on("error", () => socket.destroy()).resume());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === "object");
    const usb = ["--usb", `usbip:127.0.0.1:${bound.port}`];
    const files = ["chain", "key"].map((name) => programs.file(`owner/${name}.pem`));
    for (const args of [
      ["owner", ...files, ...usb],
      ["attester", "attest", ...usb, ...computer],
      ["attester", "watch", ...usb, ...computer],
    ]) {
      const asked = once(server, "connection");
      const program = start(...args);
      await asked;
      const begin = performance.now();
      assert.equal(await program.kill("SIGINT"), 1, program.said());
      assert.match(program.said(), /^error: interrupted by SIGINT$/m);
      assert.ok(performance.now() - begin < 4_000, "it waits for the server all the same");
    }
    server.close();
  });

  it("refuse options that exclude each other, and what names no stick", async () => {
    const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
      [["attest", "--usb", "--token", "127.0.0.1"], /'--usb \[stick\]' cannot be used with option '--token/],
      [["attest", "--usb", "usbip:h:0"], /0 is no port/],
    ];
    for (const [args, sentence] of mistakes) {
      const { code, output } = await runHere(args);
      assert.equal(code, 2, output);
      assert.match(output, sentence);
    }
    const swallowed = await owner("", "--usb", "owner/chain.pem", "owner/key.pem");
    assert.equal(swallowed.code, 2);
    assert.match(swallowed.text, /--usb took .*chain\.pem for a serial number: put --usb last/);
  });
});
