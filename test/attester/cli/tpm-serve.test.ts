/** The emulator served to other programs, and looked into, as processes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openSwtpmControl } from "../../../hw/tpm/swtpm-control.ts";
import { toHex, utf8 } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { type Process, Processes } from "../../support/process.ts";
import { needs } from "../../support/programs.ts";

const ONES = "ff".repeat(32);

describe("fobnail tpm serve, status, pcr, reset, eventlog", function () {
  this.timeout(60_000);
  const programs = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-tpm-serve-"));
  const file = (name: string) => join(folder, name);
  afterEach(() => programs.killAll());
  after(async () => {
    await programs.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const serve = async (...more: readonly string[]): Promise<Process> => {
    const server = programs.start(["tpm", "serve", "--state", file("tpm"), ...more]);
    await server.line(/^TPM emulator in /);
    return server;
  };
  const overSocket = ["--tpm", `swtpm:${file("s")},ctrl=${file("s.ctrl")}`];
  const tpm = (...args: readonly string[]) => programs.run(["tpm", ...args]);

  it("is a TPM to others while it runs, and keeps what they put into it", async () => {
    const server = await serve("--unix", file("s"));
    const status = await tpm("status", ...overSocket);
    assert.equal(status.code, 0, status.text);
    assert.match(status.text, /^manufacturer {4}FOBN \(fobnail emulator\)/m);
    assert.match(status.text, /^clock .*, safe$/m);
    assert.match(status.text, /^EK certificates none: fobnail tpm manufacture$/m);

    const made = await tpm("manufacture", ...overSocket, "--out", file("vendor"));
    assert.equal(made.code, 0, made.text);

    const { text } = await tpm("pcr", ...overSocket, "--json", "--bank", "sha256");
    const [bank] = JSON.parse(text).banks;
    assert.equal(bank.bank, "sha256");
    assert.deepEqual([bank.pcrs[0].value, bank.pcrs[17].value], ["00".repeat(32), ONES]);

    const cut = await tpm("reset", ...overSocket, "--unorderly");
    assert.match(cut.text, /: reset \d+, clock (not safe yet: wait some seconds before a quote|safe)\.$/);
    const orderly = await tpm("reset", ...overSocket);
    assert.equal(orderly.code, 0, orderly.text);

    const second = await tpm("serve", "--state", file("tpm"), "--unix", file("t"));
    assert.equal(second.code, 3, second.text);
    assert.match(second.text, /^error: The TPM state directory .* is in use by process \d+\.$/m);

    assert.equal(await server.kill("SIGINT"), 0);
    assert.ok(!existsSync(file("s")), "the socket is gone");
    const after = await tpm("status", "--tpm", `emulator:${file("tpm")}`, "--json");
    assert.deepEqual(JSON.parse(after.text).ekCertificates, { rsa: true, ecc: true });
  });

  it("takes over the sockets of a server that was killed", async () => {
    const server = await serve("--unix", file("s"));
    await server.kill();
    assert.ok(existsSync(file("s")));
    await (await serve("--unix", file("s"))).kill("SIGTERM");
  });

  it("--flags none: without power until INIT", async () => {
    const server = await serve("--unix", file("s"), "--flags", "none");
    const noPower = await tpm("status", "--tpm", `swtpm:${file("s")}`);
    assert.equal(noPower.code, 3, noPower.text);
    const status = await tpm("status", ...overSocket);
    assert.equal(status.code, 0, status.text);
    assert.equal(await server.kill("SIGTERM"), 0);
  });

  it("goes on where a stored volatile state left off, also after kill -9, until a reset", async () => {
    const server = await serve("--unix", file("s"));
    const chipset = await openSwtpmControl({ path: file("s.ctrl") });
    await chipset.hashSequence(utf8("a loader"));
    await chipset.storeVolatile();
    await chipset.close();
    await server.kill();
    const next = await serve("--unix", file("s"));
    const pcr17 = async () => JSON.parse((await tpm("pcr", ...overSocket, "--json", "--bank", "sha256")).text).banks[0].pcrs[17].value; // biome-ignore format: one look
    assert.equal(await pcr17(), toHex(digest("sha256", new Uint8Array(32), digest("sha256", utf8("a loader")))));
    const reset = await tpm("reset", ...overSocket);
    assert.equal(reset.code, 0, reset.text);
    assert.equal(await pcr17(), ONES);
    await next.kill("SIGTERM");
  });

  it("says that a stored volatile state is damaged", async () => {
    const stored = join(file("tpm"), "tpm-volatile");
    writeFileSync(stored, "FOBNVOL");
    for (const args of [
      ["serve", "--state", file("tpm"), "--unix", file("s")],
      ["status", "--tpm", `emulator:${file("tpm")}`],
    ]) {
      const { code, text } = await tpm(...args);
      assert.equal(code, 3, text);
      assert.match(text, /^error: .*tpm-volatile is damaged, or of another version/m);
    }
    rmSync(stored);
  });

  it("tells whether logs and PCRs agree", async () => {
    const server = await serve("--unix", file("s"));
    const logs = ["--drtm-log", file("drtm.log"), "--firmware-log", file("firmware.log")];
    const [, ...toWhere] = overSocket;
    const booted = await programs.run([
      ...["dlme", "boot", "--tpm", toWhere[0] ?? "", "--profile", "apu2"],
      ...["--log", file("drtm.log"), "--firmware-log", file("firmware.log")],
    ]);
    assert.equal(booted.code, 0, booted.text);
    const agrees = await tpm("eventlog", ...overSocket, ...logs);
    assert.equal(agrees.code, 0, agrees.text);
    assert.match(agrees.text, /^sha256 PCR 17 {2}as logged$/m);
    await tpm("reset", ...overSocket);
    const differs = await tpm("eventlog", ...overSocket, ...logs);
    assert.equal(differs.code, 1, differs.text);
    assert.match(differs.text, new RegExp(`^sha256 PCR 17 {2}DIFFERS: TPM ${ONES}, log `, "m"));
    await server.kill("SIGTERM");
  });

  it("is a TPM for tpm2-tools", async function () {
    needs(this, "tpm2_getcap", "tpm2_pcrread");
    const server = await serve("--unix", file("s"));
    const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${file("s")}` };
    const run = promisify(execFile);
    const { stdout } = await run("tpm2_getcap", ["properties-fixed"], { env });
    assert.match(stdout, /TPM2_PT_MANUFACTURER:\n.*\n {2}value: "FOBN"/);
    await run("tpm2_pcrextend", [`16:sha256=${"11".repeat(32)}`], { env });
    assert.match((await run("tpm2_pcrread", ["sha256:16"], { env })).stdout, /16: 0x[0-9A-F]{64}/);
    await server.kill("SIGTERM");
  });

  const refused: readonly (readonly [args: string, code: number, sentence: RegExp])[] = [
    ["serve", 2, /required option '--state <dir>' not specified/],
    ["serve --state x --flags fast", 2, /None of: none, not-need-init, startup-clear, startup-state/],
    ["serve --state x --flags startup-clear,startup-state", 2, /Either startup-clear or startup-state/],
    ["serve --state x --port 65535", 2, /no port behind 65535/],
    ["serve --state /dev/null/x", 3, /The TPM state directory \/dev\/null\/x cannot be made/],
    ["serve --state FOLDER/other --unix /none/s", 3, /\/none\/s cannot be had: its folder does not exist/],
    ["status --tpm swtpm:/none/s", 3, /TPM at \/none\/s not reached/],
    ["pcr --tpm emulator --bank md5", 2, /One of sha1, sha256, sha384, sha512 belongs here/],
    ["reset --tpm tpm0", 2, /--tpm tpm0: not known/],
    ["eventlog --tpm emulator", 2, /no log: name one/],
    ["eventlog --tpm emulator --drtm-log FOLDER/garbage", 2, /^error: .*garbage is no event log: /],
  ];
  for (const [args, code, sentence] of refused) {
    it(`${code}: ${args}`, async () => {
      writeFileSync(file("garbage"), "garbage");
      const outcome = await tpm(...args.replace("FOLDER", folder).split(" "));
      assert.match(outcome.text, sentence);
      assert.equal(outcome.code, code, outcome.text);
      assert.doesNotMatch(outcome.text, /bug of the program|\n\s+at /);
    });
  }
});
