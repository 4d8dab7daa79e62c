import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logCommand } from "../../../attester/cli/log/command.ts";
import { concat, utf8 } from "../../../shared/bytes/index.ts";
import { EventType, encodeImaLog, encodeTcgLog, type LogEvent } from "../../../shared/event-log/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import {
  APU2_LAUNCHES,
  agileLog,
  drtmLog,
  eventOf,
  FIRMWARE_EVENTS,
  imaNg,
  oldIma,
  sha1Log,
} from "../../support/event-logs.ts";
import { commandLine } from "../../support/process.ts";
import { runHere } from "./run-here.ts";

const [first, second] = APU2_LAUNCHES.map(({ events }) => events);
const ima = [imaNg("/bin/bash", new Uint8Array(32)), oldIma("/init", new Uint8Array(20))];
const remark = eventOf(0, EventType.NO_ACTION, Uint8Array.of(...utf8("StartupLocality\0"), 3));

describe("fobnail log", function () {
  this.timeout(30_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-log-"));
  const path = (name: string) => join(folder, name);
  const log = async (...args: readonly string[]) => {
    process.exitCode = undefined;
    const { code, output } = await runHere(args, logCommand());
    process.exitCode = undefined;
    return { code, lines: output.trimEnd().split("\n") };
  };
  const sha1Only = (events: readonly LogEvent[]) =>
    events.map((event) => ({ ...event, digests: event.digests.slice(0, 1) }));

  before(() => {
    const files: Readonly<Record<string, Uint8Array>> = {
      good: encodeTcgLog(drtmLog(first ?? [])),
      other: encodeTcgLog(drtmLog(second ?? [])),
      firmware: encodeTcgLog(agileLog(FIRMWARE_EVENTS)),
      started: encodeTcgLog(agileLog([remark, ...FIRMWARE_EVENTS])),
      old: encodeTcgLog(sha1Log(sha1Only(FIRMWARE_EVENTS))),
      ima: encodeImaLog({ format: "ima", algorithms: [], events: ima }),
      strange: encodeTcgLog(agileLog([], [{ hash: TpmAlg.SM3_256, digestBytes: 32 }])),
      alien: encodeTcgLog(agileLog([eventOf(10, EventType.IMA_ENTRY, "no entry of IMA")])),
      empty: new Uint8Array(0),
      text: utf8(
        "10 91f34b5c671d73504b274a919661cf80dab1e127 ima-ng sha1:1801e1be3e65ef1eaa5c16617bec8f1274eaf6b3 boot_aggregate\n",
      ),
    };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path(name), bytes);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("show: each event on a line", async () => {
    const { code, lines } = await log("show", path("good"));
    assert.equal(code, 0);
    assert.equal(lines[0], "log of a dynamic launch, banks sha1 and sha256, 5 events");
    assert.match(lines[1] ?? "", /^# {2}PCR {2}TYPE +DIGEST +EVENT$/);
    assert.match(lines[3] ?? "", /^1 {2} 17 {2}EV_SL_KERNEL +0e2377e55314d964\.\. {2}Measured Kernel into PCR17$/);
    assert.equal(lines.length, 7);
    assert.match((await log("show", path("old"))).lines[0] ?? "", /^SHA-1 log of the firmware, bank sha1, 10 events$/);
    assert.match((await log("show", path("started"))).lines[2] ?? "", /EV_NO_ACTION +- +TPM started at locality 3$/);
  });

  it("show --json: what the log is, then each event", async () => {
    const { lines } = await log("show", path("good"), "--json");
    const [head, event] = lines.map((line): Record<string, unknown> => JSON.parse(line));
    assert.deepEqual([head?.["format"], head?.["events"]], ["drtm", 5]);
    assert.deepEqual(event, {
      index: 0,
      pcr: 17,
      type: "EV_SKINIT",
      measured: true,
      step: "loader",
      description: "Loader measured by the CPU (SKINIT)",
      digests: { sha256: "adf38a252637fcaca26bb89ecceafc6ba75cb0f5237ca8e72294b75a1cff0a0a" },
      data: "534b494e4954",
    });
  });

  it("show: entries of IMA whose data are not what was extended", async () => {
    const good = readFileSync(path("ima"));
    assert.doesNotMatch((await log("show", path("ima"))).lines.join("\n"), /warning/);
    good[good.indexOf("/bin/bash")] = 0x2e;
    writeFileSync(path("renamed"), good);
    const { lines } = await log("show", path("renamed"));
    assert.equal(lines.at(-1), "warning: the template hash is not that of the data in 1 of 2: 0");
    const [, entry] = (await log("show", path("renamed"), "--json")).lines;
    assert.equal(JSON.parse(entry ?? "{}").faithful, false);
  });

  it("show --json: an event of the firmware whose type is the number that IMA's entries have here", async () => {
    const { code, lines } = await log("show", "--json", path("alien"));
    assert.equal(code, 0);
    const event = JSON.parse(lines[1] ?? "");
    assert.deepEqual([event.type, event.faithful], ["IMA_ENTRY", undefined]);
  });

  it("replay: the published values, of one bank and of several logs", async () => {
    const { code, lines } = await log("replay", path("good"), "--bank", "SHA256");
    assert.equal(code, 0);
    const [[pcr17 = "", value17 = ""], [, value18 = ""]] = [...(APU2_LAUNCHES[0]?.pcrs ?? [])].map(([pcr, value]) => [
      String(pcr),
      value,
    ]) as [string[], string[]];
    assert.deepEqual(lines, ["sha256:", `  PCR ${pcr17}  ${value17}`, `  PCR 18  ${value18}`]);
    const all = await log("replay", path("firmware"), path("good"), path("ima"), "--json");
    const facts = all.lines.map((line): { bank: string; pcr: number; value: string } => JSON.parse(line));
    assert.deepEqual(
      facts.filter(({ bank }) => bank === "sha256").map(({ pcr }) => pcr),
      [0, 1, 2, 3, 4, 5, 6, 7, 10, 17, 18],
    );
    assert.equal(facts.find(({ bank, pcr }) => bank === "sha256" && pcr === 17)?.value, value17);
  });

  it("replay: IMA in SHA-256 as newer and as older kernels extend it", async () => {
    const hashed = await log("replay", path("ima"));
    const padded = await log("replay", path("ima"), "--ima", "padded-sha1");
    assert.deepEqual(
      hashed.lines.map((line) => line.split(" ")[0] || "value"),
      ["sha1:", "value", "sha256:", "value"],
    );
    assert.equal(hashed.lines[1], padded.lines[1]);
    assert.notEqual(hashed.lines[3], padded.lines[3]);
  });

  it("diff: 1 and what changed; 0 when nothing did", async () => {
    const { code, lines } = await log("diff", path("good"), path("other"));
    assert.equal(code, 1);
    assert.equal(lines[0], "changed  PCR 17 event 0 (loader): Loader measured by the CPU (SKINIT)");
    assert.match(lines[1] ?? "", /^ +expected adf38a25/);
    assert.match(lines[2] ?? "", /^ +got {6}9221c1a8/);
    assert.ok(lines.some((line) => line.startsWith("missing  PCR 18 event 3 (command-line)")));
    assert.equal(lines.at(-1), "5 differences in bank sha256");
    const back = await log("diff", path("other"), path("good"), "--json");
    assert.deepEqual(
      back.lines.map((line) => JSON.parse(line).kind),
      ["changed", "changed", "changed", "added", "added"],
    );
    assert.deepEqual(await log("diff", path("good"), path("good")), {
      code: 0,
      lines: ["no difference: these logs give the same PCR values in bank sha256"],
    });
  });

  it("diff: in the bank that both extend, and of the locality at which the TPM was started", async () => {
    assert.match((await log("diff", path("firmware"), path("old"))).lines[0] ?? "", /in bank sha1$/);
    assert.match(
      (await log("diff", path("firmware"), path("firmware"), "--bank", "sha1")).lines[0] ?? "",
      /in bank sha1$/,
    );
    const { code, lines } = await log("diff", path("firmware"), path("started"));
    assert.equal(code, 1);
    assert.match(lines[0] ?? "", /TPM started at locality 3 instead of 0/);
    assert.equal(lines.at(-1), "1 difference in bank sha256");
  });

  const refused: readonly (readonly [args: readonly string[], sentence: RegExp])[] = [
    [["show", "missing"], /^error: .*missing is not there$/],
    [["show", "empty"], /empty is empty$/],
    [["show", "text"], /text is the list as text; the binary one is wanted/],
    [["show", "cut"], /cut is no event log that can be read: TCG log\.header\..*the log is cut \(at byte \d+\)$/],
    [["replay", "good", "--bank", "sha384"], /there is no bank sha384 here, but sha1 and sha256$/],
    [["replay", "strange", "--bank", "sm3-256"], /sm3-256 is not computed here$/],
    [["replay", "ima", "--ima", "other"], /Allowed choices are hashed, padded-sha1/],
    [["diff", "good", "old"], /no bank in common: sha256 in one, sha1 in the other$/],
    [["diff", "good"], /missing required argument 'new'/],
  ];
  for (const [args, sentence] of refused) {
    it(`2: ${args.join(" ")}`, async () => {
      writeFileSync(path("cut"), readFileSync(path("good")).subarray(0, -1));
      const [command = "", ...rest] = args.map((word, i) =>
        i > 0 && /^[a-z]+$/.test(word) && args[i - 1]?.[0] !== "-" ? path(word) : word,
      );
      const { code, lines } = await log(command, ...rest);
      assert.match(lines[0] ?? "", sentence);
      assert.equal(code, 2);
    });
  }

  it("a bank that is not computed is said to be one", async () => {
    assert.deepEqual((await log("replay", path("strange"))).lines, ["sm3-256: not computed here"]);
  });

  it("reads standard input, padding and all", () => {
    const [command = "", ...args] = commandLine(["log", "diff", path("firmware"), "-"]);
    const input = concat(encodeTcgLog(agileLog(FIRMWARE_EVENTS)), new Uint8Array(4096));
    const { status, stdout } = spawnSync(command, args, { input, encoding: "utf8" });
    assert.equal(stdout, "no difference: these logs give the same PCR values in bank sha256\n");
    assert.equal(status, 0);
  });
});
