import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { bootLogs, measurementsOf, sampleLaunch } from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { decode, encode } from "../../../shared/bytes/index.ts";
import {
  DrtmVendorInfo,
  decodeTcgLog,
  describeEvent,
  encodeTcgLog,
  type TcgLog,
} from "../../../shared/event-log/index.ts";
import { TpmAlg, TpmCc } from "../../../shared/tpm/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import { KexecProgram } from "../../support/kexec-program.ts";
import { startTpmServer, type TpmServer } from "../../support/tpm-server.ts";
import { UdpGate } from "../../support/udp-gate.ts";
import type { UdpToken } from "../../support/v1-udp-token.ts";
import { AttesterPrograms, type Ended } from "./v1-scene.ts";

const TODAY = Date.UTC(2026, 10, 21);
const FAILURE = Uint8Array.of(0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01);
/** What each command of the gate leaves behind: one line for each run. */
const GREEN = ["--on-green", 'echo "$FOBNAIL_VERDICT $FOBNAIL_CAPPED" >>green'];
const RED = ["--on-red", 'echo "$FOBNAIL_VERDICT $FOBNAIL_REASON $FOBNAIL_PCRS" >>red'];

function launchLog(): TcgLog {
  const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
  return bootLogs(measurements, [TpmAlg.SHA1, TpmAlg.SHA256])[1] ?? assert.fail("no launch");
}

describe("fobnail-attester gate", function () {
  this.timeout(60_000);
  const programs = new AttesterPrograms();
  const { kernel, initrd = new Uint8Array(0) } = sampleLaunch({ kernel: "target", initrd: "target" });
  const boot = ["--kexec", "vmlinuz", "--initrd", "initrd.img", "--cmdline", "root=/dev/sda2 ro"];
  const target = { kernel, initrd, commandLine: "root=/dev/sda2 ro" };
  let root: Certificate;
  let spec = "";
  let token: UdpToken;
  let kexec: KexecProgram;

  const options = () => ["--token", `127.0.0.1:${token.peer.port}`, "--tpm", spec, "--platform", "apu2"];
  const env = () => ({ PATH: kexec.path });
  const gate = (...args: readonly string[]) => programs.run(["gate", ...args], "", env());
  const lines = (name: string) => {
    const file = programs.file(name);
    return existsSync(file)
      ? readFileSync(file, "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => line.trimEnd())
      : [];
  };
  /** It did not open: the exit code, the reason in words, nothing started or loaded, the command of --on-green not run. */
  const isShut = (ended: Ended, code: number, sentence: RegExp) => {
    assert.match(ended.stderr, sentence);
    assert.match(ended.stderr, /The gate stays shut: [a-z-]+\./);
    assert.doesNotMatch(ended.stderr, /\n {4}at /, "no stack");
    assert.equal(ended.code, code, ended.stderr);
    assert.deepEqual(kexec.started(), []);
    assert.equal(kexec.isLoaded, false);
    assert.deepEqual(lines("green"), []);
  };

  before(async () => {
    ({ spec, root } = await programs.manufacture("tpm"));
    token = await programs.token("strict", root);
    assert.equal((await programs.run(["provision", ...options(), "--launch"])).code, 0);
  });
  after(async () => {
    await token.close();
    programs.close();
  });
  beforeEach(() => {
    kexec = new KexecProgram();
    for (const name of ["green", "red"]) rmSync(programs.file(name), { force: true });
    writeFileSync(programs.file("vmlinuz"), kernel);
    writeFileSync(programs.file("initrd.img"), initrd);
  });
  afterEach(() => kexec.close());

  it("runs the command of --on-green once, behind the cap, and no other", async () => {
    const ended = await gate(...options(), "--launch", ...GREEN, ...RED);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(
      ended.stdout.toString(),
      /Attested with .*\n.*Capped at locality 2: .*PCR 19, a cap in PCR 17 and 18;/,
    );
    assert.deepEqual(lines("green"), ["green 17,18"]);
    assert.deepEqual(lines("red"), []);
  });

  it("starts the bytes that it measured, whoever changes the files in between", async () => {
    const ended = await gate(
      ...options(),
      "--launch",
      ...boot,
      "--on-green",
      "echo evil >vmlinuz; echo evil >initrd.img",
    );
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout.toString(), /: 4 measurements of the target in PCR 19[\s\S]*Starting vmlinuz/);
    assert.deepEqual(kexec.started(), [target]);
    assert.deepEqual(
      kexec.calls.map((call) => call.slice(0, 5).trim()),
      ["-s -l", "-e"],
    );
  });

  it("on red runs the command of --on-red once, loads nothing and ends with 1", async () => {
    isShut(await gate(...options(), ...boot, ...GREEN, ...RED), 1, /^error: .*17, 18 do not hold/);
    const [line = "", ...more] = lines("red");
    assert.deepEqual(more, []);
    assert.match(line, /^red no-dynamic-launch .*17,18$/);
    assert.deepEqual(kexec.calls, []);
    const json = await gate(...options(), "--json", "--on-red", "exit 7");
    assert.equal(json.code, 1, "whatever the command says");
    const told = json.stdout.toString().trimEnd().split("\n").map((text) => JSON.parse(text)).find(({ gate }) => gate === "shut"); // biome-ignore format: one line
    assert.deepEqual([told.verdict, told.reason, told.pcrs.includes(17)], ["red", "no-dynamic-launch", true]);
    assert.match(json.stdout.toString(), /command of --on-red ended with exit code 7/);
  });

  it("without a token, or with one that goes in the middle, runs the command of --on-red", async () => {
    const waiting = await gate(...options().with(1, "127.0.0.1:9"), "--launch", "--timeout", "5", ...GREEN, ...RED);
    isShut(waiting, 3, /^error: no token answers at 127\.0\.0\.1:9 within 5 s/);
    assert.match(waiting.stdout.toString(), /Waiting for the token/);
    const between = await UdpGate.open();
    between.passTo(token.peer.port);
    void between.at({ request: "api/v1/attest", when: "answered" }, () => between.passTo(undefined));
    isShut(await gate(...options().with(1, between.address), "--launch", "--timeout", "4", ...boot, ...GREEN, ...RED), 1, /^error: there was no verdict within 4 s/); // biome-ignore format: one line
    await between.close();
    assert.deepEqual(lines("red"), ["none token-silent", "none timeout"]);
  });

  it("waits for a token that comes late", async () => {
    const between = await UdpGate.open();
    const running = programs.start(["gate", ...options().with(1, between.address), "--launch", ...GREEN]);
    await running.until(/Waiting for the token/);
    between.passTo(token.peer.port);
    assert.equal((await running.ended).code, 0);
    assert.deepEqual(lines("green"), ["green 17,18"]);
    await between.close();
  });

  it("ends with 1 on Ctrl-C, and starts nothing: while it waits, and while the command of --on-green runs", async () => {
    const between = await UdpGate.open();
    const waiting = programs.start(
      ["gate", ...options().with(1, between.address), "--launch", ...boot, ...RED],
      undefined,
      env(),
    );
    await waiting.until(/Waiting for the token/);
    waiting.child.kill("SIGINT");
    isShut(await waiting.ended, 1, /^error: interrupted by SIGINT/);
    await between.close();
    const running = programs.start(
      ["gate", ...options(), "--launch", ...boot, ...RED, "--on-green", "echo now; exec sleep 600"],
      undefined,
      env(),
    );
    await running.until(/^now$/m);
    running.child.kill("SIGTERM");
    isShut(await running.ended, 1, /^error: interrupted by SIGTERM/);
    assert.deepEqual(lines("red"), ["none interrupted", "green interrupted"]);
  });

  it("starts no kernel when the command of --on-green fails, and says so when the kernel does not start", async () => {
    isShut(await gate(...options(), "--launch", ...boot, "--on-green", "exit 5", ...RED), 1, /^error: the command of --on-green ended with exit code 5/); // biome-ignore format: one line
    kexec.fail("-e");
    isShut(await gate(...options(), "--launch", ...boot, ...RED), 1, /^error: kexec did not start the loaded kernel/);
    kexec.fail("-s-l");
    isShut(
      await gate(...options(), "--launch", ...boot, ...RED),
      1,
      /^error: (kexec did not|only root may) load the kernel/,
    );
    assert.deepEqual(lines("red"), ["green command-failed", "green jump-failed", "green target-refused"]);
  });

  it("appends its events to a log, and does not go on when they are not in it", async () => {
    const log = launchLog();
    writeFileSync(programs.file("drtm.log"), encodeTcgLog(log));
    const ended = await gate(...options(), "--launch", "--log", "drtm.log", "--on-green", "cp drtm.log green");
    assert.equal(ended.code, 0, ended.stderr);
    const { events } = decodeTcgLog(readFileSync(programs.file("green")));
    assert.deepEqual(events.slice(log.events.length).map(describeEvent), [
      "Measured target command into PCR19",
      "Capped PCR17 at the gate",
      "Capped PCR18 at the gate",
    ]);
    rmSync(programs.file("green"));
    const info = decode(DrtmVendorInfo, log.vendorInfo);
    const full = { ...log, vendorInfo: encode(DrtmVendorInfo, { ...info, allocated: encodeTcgLog(log).byteLength }) };
    writeFileSync(programs.file("drtm.log"), encodeTcgLog(full));
    isShut(await gate(...options(), "--launch", ...boot, "--log", "drtm.log", ...GREEN, ...RED), 1, /^error: the event log cannot take the gate's events: /); // biome-ignore format: one line
    isShut(await gate(...options(), "--log", "vmlinuz", ...GREEN, ...RED), 2, /^error: vmlinuz is no event log: /);
    assert.deepEqual(lines("red"), ["green log-failed", "none usage"]);
  });

  it("with --no-cap leaves the PCRs to who comes next, and says so", async () => {
    const ended = await gate(...options(), "--launch", "--no-cap", ...GREEN);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, /^warning: The PCRs are not capped/);
    assert.deepEqual(lines("green"), ["green"]);
  });

  it("is not passed when nobody hears it, or when the TPM or the files cannot be had", async () => {
    const deaf = programs.start(["gate", ...options(), "--launch", ...RED, ...GREEN]);
    deaf.child.stdout?.destroy();
    deaf.child.stderr?.destroy();
    assert.equal((await deaf.ended).code, 1);
    assert.deepEqual([lines("green"), lines("red")], [[], ["none interrupted"]]);
    rmSync(programs.file("red"), { force: true });
    const slowly = programs.start(["gate", ...options(), "--on-red", 'sleep 0.5; echo "$FOBNAIL_VERDICT" >>red']);
    slowly.child.stdout?.destroy();
    slowly.child.stderr?.destroy();
    assert.equal((await slowly.ended).code, 1);
    assert.equal(
      lines("red").length,
      1,
      "the command of --on-red is neither ended nor left behind because nobody reads",
    );
    rmSync(programs.file("red"), { force: true });
    isShut(await gate(...options().with(3, "swtpm:127.0.0.1:9"), ...GREEN, ...RED), 3, /^error: /);
    isShut(await gate(...options(), "--kexec", "nothing", ...GREEN, ...RED), 2, /^error: nothing is not there/);
    rmSync(`${kexec.bin}/kexec`);
    const bare = await programs.run(["gate", ...options(), ...boot, ...GREEN, ...RED], "", { PATH: kexec.bin });
    isShut(bare, 1, /^error: there is no kexec program on PATH; it comes with the package kexec-tools/);
    assert.deepEqual(lines("red"), ["none unreached", "none usage", "none target-refused"]);
  });

  describe("over a TPM without its chipset's side", () => {
    let tpm: TpmServer;
    let own: UdpToken;
    const plain = () => ["--token", `127.0.0.1:${own.peer.port}`, "--tpm", tpm.spec, "--platform", "apu2"];
    before(async () => {
      tpm = await startTpmServer(TODAY);
      own = await programs.token("strict", tpm.root);
      await tpm.boot();
      assert.equal((await programs.run(["provision", ...plain()])).code, 0);
    });
    beforeEach(() => tpm.boot());
    afterEach(() => {
      tpm.deaf = () => false;
    });
    after(async () => {
      await own?.close();
      await tpm?.close();
    });

    it("caps PCR 7, and behind it nobody attests until the next boot", async () => {
      assert.equal((await programs.run(["attest", ...plain()])).code, 0);
      const ended = await gate(...plain(), ...boot, ...GREEN);
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stdout.toString(), /Capped at locality 0: .*PCR 14, a cap in PCR 7;/);
      assert.deepEqual(kexec.started(), [target]);
      assert.deepEqual(lines("green"), ["green 7"]);
      const again = await programs.run(["attest", ...plain()]);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /PCR 7 does not hold/);
      await tpm.boot();
      assert.equal((await programs.run(["attest", ...plain()])).code, 0);
    });

    it("does not wait for a TPM that does not answer: from the beginning, in the middle, or when somebody ends it", async () => {
      const began = performance.now();
      tpm.deaf = () => true;
      isShut(await gate(...plain(), "--timeout", "1", ...boot, ...GREEN, ...RED), 3, /^error: TPM and link were not ready within 1 s/); // biome-ignore format: one line
      tpm.deaf = (code) => code === TpmCc.Quote || code === TpmCc.Shutdown;
      isShut(await gate(...plain(), "--timeout", "3", ...boot, ...GREEN, ...RED), 1, /^error: there was no verdict within 3 s/); // biome-ignore format: one line
      tpm.deaf = () => true;
      const running = programs.start(["gate", ...plain(), "--verbose", ...boot, ...GREEN, ...RED], undefined, env());
      await running.until(/Using the swtpm/);
      running.child.kill("SIGTERM");
      isShut(await running.ended, 1, /^error: interrupted by SIGTERM/m);
      assert.deepEqual(lines("red"), ["none unreached", "none timeout", "none interrupted"]);
      assert.ok(performance.now() - began < 40_000, "an answer is waited for a minute elsewhere");
    });

    it("neither jumps nor runs the command of --on-green when the cap fails", async () => {
      tpm.answer = (code) => (code === TpmCc.PCR_Extend ? FAILURE : undefined);
      isShut(await gate(...plain(), ...boot, ...GREEN, ...RED), 1, /^error: the PCRs are not capped: TPM2_PCR_Extend/);
      tpm.answer = () => undefined;
      assert.deepEqual(lines("red"), ["green cap-failed"]);
      assert.match(kexec.calls.at(-1) ?? "", /^-s -u/);
    });
  });
});
