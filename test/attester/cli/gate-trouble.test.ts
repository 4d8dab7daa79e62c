import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bootLogs, measurementsOf } from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { encodeTcgLog } from "../../../shared/event-log/index.ts";
import { TpmAlg, TpmCc } from "../../../shared/tpm/index.ts";
import { startTpmServer, type TpmServer } from "../../support/tpm-server.ts";
import { UdpGate } from "../../support/udp-gate.ts";
import type { UdpToken } from "../../support/v1-udp-token.ts";
import { AttesterPrograms, type Ended } from "./v1-scene.ts";

const TODAY = Date.UTC(2026, 10, 21);
const GREEN = ["--on-green", "echo green >>green"];
const RED = ["--on-red", 'echo "$FOBNAIL_VERDICT $FOBNAIL_REASON $FOBNAIL_CAPPED" >>red'];

/** Root that must keep to modes of files, as others do. */
const POWERLESS = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"];

describe("fobnail-attester gate, held up", function () {
  this.timeout(60_000);
  const programs = new AttesterPrograms();
  let tpm: TpmServer;
  let token: UdpToken;

  const options = (peer = `127.0.0.1:${token.peer.port}`) => ["--token", peer, "--tpm", tpm.spec, "--platform", "apu2"];
  const gate = (...args: readonly string[]) => programs.run(["gate", ...args]);
  const lines = (name: string) => {
    const file = programs.file(name);
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8").trimEnd().split("\n").map((line) => line.trimEnd()); // biome-ignore format: one line
  };
  const isShut = ({ code, stderr }: Ended, wanted: number, sentence: RegExp) => {
    assert.match(stderr, sentence);
    assert.equal(code, wanted, stderr);
    assert.deepEqual(lines("green"), []);
  };

  before(async () => {
    tpm = await startTpmServer(TODAY);
    token = await programs.token("strict", tpm.root);
    await tpm.boot();
    assert.equal((await programs.run(["provision", ...options()])).code, 0);
  });
  beforeEach(async () => {
    for (const name of ["green", "red"]) rmSync(programs.file(name), { force: true });
    await tpm.boot();
  });
  afterEach(() => {
    tpm.deaf = () => false;
  });
  after(async () => {
    await token?.close();
    await tpm?.close();
    programs.close();
  });

  for (const [option, before] of [
    ["--kexec", []],
    ["--initrd", ["--kexec", "vmlinuz"]],
    ["--log", []],
    ["--drtm-log", []],
  ] as const) {
    it(`does not stand at a pipe that nobody writes: ${option}`, async () => {
      writeFileSync(programs.file("vmlinuz"), "kernel");
      rmSync(programs.file("pipe"), { force: true });
      assert.equal(spawnSync("mkfifo", [programs.file("pipe")]).status, 0);
      isShut(
        await gate(...options(), ...before, option, "pipe", ...GREEN, ...RED),
        2,
        /^error: pipe is no regular file/,
      );
      assert.deepEqual(lines("red"), ["none usage"]);
    });
  }

  describe("by its log", () => {
    const log = ["--log", join("logs", "log"), ...GREEN, ...RED];
    beforeEach(() => {
      const [firmware = assert.fail()] = bootLogs(measurementsOf({ firmware: APU2.firmware }), [TpmAlg.SHA256]);
      mkdirSync(programs.file("logs"));
      writeFileSync(programs.file("logs/log"), encodeTcgLog(firmware));
    });
    afterEach(() => rmSync(programs.file("logs"), { recursive: true, force: true }));

    it("sees before the cap that it cannot be replaced", async () => {
      chmodSync(programs.file("logs"), 0o555);
      const { ended } = programs.start(
        ["gate", ...options(), ...log],
        "",
        {},
        process.getuid?.() === 0 ? POWERLESS : [],
      );
      isShut(await ended, 2, /^error: logs\/log cannot be written: EACCES/);
      assert.deepEqual(lines("red"), ["none usage"]);
    });

    it("does not go on when it was taken away since", async () => {
      const between = await UdpGate.open();
      const running = programs.start(["gate", ...options(between.address), ...log]);
      await running.until(/Waiting for the token/);
      assert.deepEqual(readdirSync(programs.file("logs")), ["log"], "what it tried is gone");
      rmSync(programs.file("logs"), { recursive: true });
      between.passTo(token.peer.port);
      isShut(await running.ended, 1, /^error: the gate's events are not in logs\/log: .* ENOENT/);
      await between.close();
      assert.deepEqual(lines("red"), ["green log-failed 7"]);
    });
  });

  it("runs the command of --on-red after a second Ctrl-C, and passes that on when it runs already", async () => {
    tpm.deaf = () => true;
    const waits = `${RED[1]}; trap 'echo told >>red; kill $!; exit 0' INT; sleep 30 >/dev/null 2>&1 & echo now; wait`;
    const running = programs.start(["gate", ...options(), "--verbose", ...GREEN, "--on-red", waits]);
    await running.until(/Using the swtpm/);
    running.child.kill("SIGINT");
    await sleep(800);
    running.child.kill("SIGINT");
    await running.until(/^now$/m);
    running.child.kill("SIGINT");
    isShut(await running.ended, 1, /^error: interrupted by SIGINT/m);
    assert.deepEqual(lines("red"), ["none interrupted", "told"]);
  });

  it("leaves standard input to the command of --on-red, also when its time ends meanwhile", async () => {
    const reads = 'echo now; while read -r line; do echo "$line" >>red; done; cat >>red; echo end >>red';
    const running = programs.start(["gate", ...options("127.0.0.1:9"), "--timeout", "1", "--on-red", reads]);
    await running.until(/^now$/m);
    await sleep(3_000); // its time and the grace are over
    running.child.stdin?.write("one\n");
    await sleep(500);
    running.child.stdin?.end("two\n");
    const { code, stderr } = await running.ended;
    assert.deepEqual(lines("red"), ["one", "two", "end"], stderr);
    assert.notEqual(code, 0);
  });

  describe("while a red verdict is explained", () => {
    const REFUSED = /^error: the token refuses the evidence \(4\.03/m;
    beforeEach(async () => {
      assert.equal((await gate(...options())).code, 0, "a cap makes it red from now on");
    });

    it("tells the verdict when its time ends and the TPM hangs", async () => {
      let quoted = false;
      tpm.deaf = (code) => {
        const behind = quoted;
        quoted ||= code === TpmCc.Quote;
        return behind;
      };
      isShut(await gate(...options(), "--timeout", "4", ...GREEN, ...RED), 1, REFUSED);
      assert.deepEqual(lines("red"), ["red not-trusted"]);
    });

    it("tells the verdict when its time ends, or somebody ends it, and nothing comes from the token", async () => {
      const between = await UdpGate.open();
      between.passTo(token.peer.port);
      let asked: () => void = () => undefined;
      between.passes = (from, datagram) => {
        if (from === "server" || !Buffer.from(datagram).includes("explain")) return true;
        asked();
        return false;
      };
      isShut(await gate(...options(between.address), "--timeout", "4", ...GREEN, ...RED), 1, REFUSED);
      const running = programs.start(["gate", ...options(between.address), ...GREEN, ...RED]);
      await new Promise<void>((resolve) => {
        asked = resolve;
      });
      running.child.kill("SIGTERM");
      isShut(await running.ended, 1, /^error: interrupted by SIGTERM/m);
      await between.close();
      assert.deepEqual(lines("red"), ["red not-trusted", "red interrupted"]);
    });
  });
});
