import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dlmeCommand } from "../../../attester/cli/dlme/command.ts";
import { expectedPcr, measurementsOf, sampleLaunch } from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { openSwtpm } from "../../../hw/tpm/swtpm.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { decodeTcgLog, replayLog } from "../../../shared/event-log/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { needs } from "../../support/programs.ts";
import { seededRandom } from "../../support/random.ts";
import { type Swtpm, startSwtpm } from "../../support/swtpm.ts";
import { runHere } from "./run-here.ts";

const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
const sample = (pcr: number, hash: number = TpmAlg.SHA256) => toHex(expectedPcr(measurements, hash, pcr));

describe("fobnail dlme", () => {
  let folder = "";
  const path = (name: string) => join(folder, name);
  const run = (...args: readonly string[]) => runHere(args, dlmeCommand());

  async function succeeds(...args: readonly string[]): Promise<string> {
    const { code, output } = await run(...args);
    assert.equal(code, 0, output);
    return output;
  }

  async function fails(code: number, problem: RegExp, ...args: readonly string[]): Promise<void> {
    const answer = await run(...args);
    assert.match(answer.output, problem, args.join(" "));
    assert.equal(answer.code, code, answer.output);
  }

  async function predicted(name: string, ...args: readonly string[]): Promise<string> {
    writeFileSync(path(name), await succeeds("predict", "--json", ...args));
    return path(name);
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-dlme-"));
    await succeeds("samples", path("files"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  describe("samples", () => {
    it("are the files of a launch, which are not overwritten", async () => {
      assert.deepEqual(readdirSync(path("files")).sort(), ["bzImage", "cmdline", "initrd", "loader.bin"]);
      const { loader, kernel, initrd, commandLine } = sampleLaunch();
      const texts = [loader, kernel, initrd ?? assert.fail()].map((bytes) => Buffer.from(bytes));
      assert.deepEqual(["loader.bin", "bzImage", "initrd"].map((name) => readFileSync(path(`files/${name}`))), texts); // biome-ignore format: one line
      assert.equal(readFileSync(path("files/cmdline"), "utf8"), commandLine);
      await fails(2, /^error: .*bzImage is there already|loader.bin is there already/, "samples", path("files"));
    });
  });

  describe("boot", () => {
    it("launches the samples in an emulator, says what was measured, and writes both logs", async () => {
      const [log, firmware] = [path("drtm.log"), path("firmware.log")];
      const output = await succeeds("boot", "--tpm", "emulator", "--log", log, "--firmware-log", firmware);
      assert.match(output, /^PCR 17 {2}locality 4 {2}SKINIT \(4096 bytes\)$/m);
      assert.match(output, /TPM, log and replay agree in sha1, sha256/);
      assert.ok(output.includes(`17: ${sample(17)}`) && output.includes(`18: ${sample(18, TpmAlg.SHA1)}`));
      const [launch, srtm] = [log, firmware].map((file) => decodeTcgLog(readFileSync(file)));
      assert.deepEqual([launch?.format, srtm?.format], ["drtm", "crypto-agile"]);
      assert.equal(toHex(replayLog(launch?.events ?? [], TpmAlg.SHA256).get(18) ?? assert.fail()), sample(18));
      assert.equal(toHex(replayLog(srtm?.events ?? [], TpmAlg.SHA256).get(7) ?? assert.fail()), sample(7));
    });

    it("takes files, which give the same values", async () => {
      const files = ["loader.bin", "bzImage", "initrd"].map((name) => path(`files/${name}`));
      const [loader = "", kernel = "", initrd = ""] = files;
      const cmdline = readFileSync(path("files/cmdline"), "utf8");
      const args = [
        "--loader",
        loader,
        "--kernel",
        kernel,
        "--initrd",
        initrd,
        "--cmdline",
        cmdline,
        "--profile",
        "apu2",
      ];
      const { pcrs, agree, logs } = JSON.parse(await succeeds("boot", "--tpm", "emulator", "--json", ...args));
      assert.deepEqual([agree, logs], [true, {}]);
      assert.equal(pcrs.sha256[17], sample(17));
      assert.equal(pcrs.sha1[18], sample(18, TpmAlg.SHA1));
    });

    it("measures the firmware alone without a launch", async () => {
      const { pcrs } = JSON.parse(await succeeds("boot", "--tpm", "emulator", "--json", "--no-launch"));
      assert.equal(pcrs.sha256[17], "ff".repeat(32));
      assert.equal(pcrs.sha256[4], sample(4));
    });

    it("takes the firmware of a profile", async () => {
      const names = "mac: 00:0D:B9:53:D2:50\nmanufacturer: a\nproduct_name: b\nserial_number: c\n";
      writeFileSync(path("board.yaml"), `${names}firmware: [{pcr: 0, event: EV_POST_CODE, text: x}]\n`);
      const { pcrs } = JSON.parse(
        await succeeds("boot", "--tpm", "emulator", "--json", "--profile", path("board.yaml")),
      );
      assert.equal(pcrs.sha256[7], "00".repeat(32));
      assert.equal(pcrs.sha256[17], sample(17));
    });

    it("2: refuses TPMs that nobody can launch, and says why", async () => {
      await fails(2, /\/dev\/tpmrm0 cannot be launched: .*locality 0.*0x907/, "boot", "--tpm", "device");
      await fails(2, /control channel; name it with ,ctrl=/, "boot", "--tpm", "swtpm:127.0.0.1:2401");
      await fails(2, /not known/, "boot", "--tpm", "nonsense");
      await fails(2, /required option '--tpm/, "boot");
    });

    it("3: tells that a TPM is not there", async () => {
      await fails(3, /nobody\.sock/, "boot", "--tpm", `swtpm:${path("nobody.sock")},ctrl=${path("nobody.ctrl")}`);
    });

    it("2: refuses logs that go nowhere, before anything is measured", async () => {
      await fails(2, /is no folder/, "boot", "--tpm", "emulator", "--log", path("nowhere/drtm.log"));
      await fails(2, /it is a folder/, "boot", "--tpm", "emulator", "--firmware-log", folder);
      await fails(2, /two files/, "boot", "--tpm", "emulator", "--log", path("a"), "--firmware-log", path("a"));
      await fails(2, /not to standard output/, "boot", "--tpm", "emulator", "--log", "-");
      await fails(2, /no launch that --log/, "boot", "--tpm", "emulator", "--no-launch", "--log", path("a"));
    });

    describe("on swtpm", () => {
      let swtpm: Swtpm | undefined;
      before(async function () {
        needs(this, "swtpm");
        swtpm = await startSwtpm();
      });
      after(() => swtpm?.stop());

      it("leaves the launch in the TPM", async () => {
        const { spec, data } = swtpm ?? assert.fail();
        assert.match(await succeeds("boot", "--tpm", spec), /agree in sha1, sha256/);
        const transport = await openSwtpm(data);
        const client = createTpmClient(transport, { random: seededRandom(5), log: { write: () => undefined } });
        for (const hash of [TpmAlg.SHA1, TpmAlg.SHA256]) {
          const [bank] = await client.readPcrs([{ hash, pcrSelect: 0x060001 }]);
          assert.deepEqual(
            bank?.values.map(toHex),
            [0, 17, 18].map((pcr) => sample(pcr, hash)),
          );
        }
        await transport.close();
      });
    });
  });

  describe("predict", () => {
    it("tells the values of a boot that has not been", async () => {
      const { pcrs, steps } = JSON.parse(await succeeds("predict", "--json"));
      assert.equal(pcrs.sha256[17], sample(17));
      assert.equal(pcrs.sha1[0], sample(0, TpmAlg.SHA1));
      assert.deepEqual(Object.keys(pcrs.sha256).length, 24);
      assert.deepEqual(
        steps.slice(-6).map(({ step }: { readonly step: string }) => step),
        ["loader", "bootloader-data", "kernel", "boot-parameters", "command-line", "initrd"],
      );
      assert.match(await succeeds("predict"), new RegExp(`^ {2}17: ${sample(17)}$`, "m"));
    });

    it("tells them in the banks that are asked for", async () => {
      const { pcrs } = JSON.parse(await succeeds("predict", "--json", "--banks", "sha512,sha384"));
      assert.deepEqual(Object.keys(pcrs), ["sha512", "sha384"]);
      assert.equal(pcrs.sha384[18], sample(18, TpmAlg.SHA384));
      await fails(2, /with commas between/, "predict", "--banks", "md5");
    });

    for (const [what, problem, ...args] of [
      ["a kernel that is none", /cmdline is no bzImage: bzImage/, "--kernel", "files/cmdline"],
      ["a loader that is none", /cmdline is no Secure Loader image/, "--loader", "files/cmdline"],
      ["a missing initrd", /nothing is not there/, "--initrd", "nothing"],
      ["a folder as kernel", /files is a folder/, "--kernel", "files"],
      ["a profile that is none", /initrd/, "--profile", "files/initrd"],
      [
        "files without a launch",
        /--no-launch starts nothing that --kernel/,
        "--no-launch",
        "--kernel",
        "files/bzImage",
      ],
    ] as const) {
      it(`2: refuses ${what}, by its name`, () => {
        const full = args.map((arg) => (/^(files|nothing)/.test(arg) ? path(arg) : arg));
        return fails(2, problem, "predict", ...full);
      });
    }

    it("2: refuses a cut kernel and a command line that does not fit", async () => {
      writeFileSync(path("cut"), readFileSync(path("files/bzImage")).subarray(0, 4000));
      await fails(2, /cut is no bzImage: bzImage\.syssize/, "predict", "--kernel", path("cut"));
      await fails(2, /command line: 2048 bytes, this kernel takes 2047/, "predict", "--cmdline", "x".repeat(2048));
    });
  });

  describe("diff", () => {
    it("0: the same, whether told as prediction or as log", async () => {
      const good = await predicted("good.json");
      const [log, firmware] = [path("same-drtm.log"), path("same-firmware.log")];
      await succeeds("boot", "--tpm", "emulator", "--log", log, "--firmware-log", firmware);
      assert.match(await succeeds("diff", good, good), /^The same: PCR 0 to 22 in sha256, sha1$/m);
      assert.match(await succeeds("diff", good, log), /^The same: PCR 17 to 22 in sha256, sha1$/m);
      assert.match(await succeeds("diff", firmware, good), /^The same: PCR 0 to 16 in sha256, sha1$/m);
      const { same, compared } = JSON.parse(await succeeds("diff", "--json", log, log));
      assert.deepEqual([same, compared.pcrs], [true, [17, 18, 19, 20, 21, 22]]);
    });

    it("1: the step that was changed, and the PCRs that differ", async () => {
      const good = await predicted("good.json");
      const evil = await predicted("evil.json", "--cmdline", "init=/bin/sh");
      const { code, output } = await run("diff", good, evil);
      assert.equal(code, 1);
      assert.match(output, /^changed command-line in PCR 18: Measured Kernel command line into PCR18$/m);
      assert.match(output, new RegExp(`^PCR 18 in sha256: ${sample(18)} -> [0-9a-f]{64}$`, "m"));
      assert.doesNotMatch(output, /PCR 17 in/);
    });

    it("1: in JSON, of two logs", async () => {
      const [a, b] = [path("a.log"), path("b.log")];
      await succeeds("boot", "--tpm", "emulator", "--log", a);
      await succeeds("boot", "--tpm", "emulator", "--log", b, "--no-initrd");
      const { code, output } = await run("diff", "--json", a, b);
      assert.equal(code, 1);
      const { same, differences, pcrs } = JSON.parse(output);
      assert.equal(same, false);
      const told = differences.map(({ kind, step }: Record<string, unknown>) => `${kind} ${step}`);
      assert.deepEqual(told, ["changed boot-parameters", "missing initrd"]);
      assert.ok(pcrs.some(({ bank, pcr }: Record<string, unknown>) => bank === "sha1" && pcr === 17));
    });

    it("1: a launch that did not happen", async () => {
      const { code, output } = await run(
        "diff",
        await predicted("good.json"),
        await predicted("none.json", "--no-launch"),
      );
      assert.equal(code, 1);
      assert.match(output, /^missing loader in PCR 17: /m);
      assert.match(output, /^PCR 19 in sha256: 0{64} -> f{64}$/m);
    });

    it("2: two that have nothing in common", async () => {
      const [log, firmware] = [path("x-drtm.log"), path("x-firmware.log")];
      await succeeds("boot", "--tpm", "emulator", "--log", log, "--firmware-log", firmware);
      await fails(2, /have nothing in common: a launch's log/, "diff", log, firmware);
      const [sha1, sha256] = [
        await predicted("1.json", "--banks", "sha1"),
        await predicted("256.json", "--banks", "sha256"),
      ];
      await fails(2, /have nothing in common/, "diff", sha1, sha256);
    });

    it("2: files that are neither, by their names", async () => {
      const good = await predicted("good.json");
      await fails(2, /initrd is no prediction and no TCG event log/, "diff", good, path("files/initrd"));
      await fails(2, /nothing is not there/, "diff", path("nothing"), good);
      await fails(2, /missing required argument 'after'/, "diff", good);
      for (const [text, problem] of [
        ["{", /not JSON/],
        ['{"secret": 1}', /broken\.json is no prediction of fobnail dlme predict --json: /],
        [readFileSync(good, "utf8").replace(sample(17), sample(18)), /pcrs\.sha256\.17: not what the steps give/],
        [readFileSync(good, "utf8").replace('"pcr":17', '"pcr":24'), /steps\.\d+\.pcr: /],
        [readFileSync(good, "utf8").replace("EV_SEPARATOR", "EV_NOTHING"), /not a type of measured event/],
      ] as const) {
        writeFileSync(path("broken.json"), text);
        await fails(2, problem, "diff", path("broken.json"), good);
        await fails(2, problem, "diff", good, path("broken.json"));
      }
    });
  });

  it("explains itself, and knows no other command", async () => {
    for (const args of [
      ["--help"],
      ["boot", "--help"],
      ["predict", "--help"],
      ["diff", "--help"],
      ["samples", "--help"],
    ])
      assert.match(await succeeds(...args), /Examples:[\s\S]*Exit codes: 0/);
    await fails(2, /unknown command 'launch'/, "launch");
    await fails(2, /too many arguments/, "predict", "bzImage");
  });
});
