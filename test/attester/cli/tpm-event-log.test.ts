import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tpmCommand } from "../../../attester/cli/tpm/command.ts";
import { unloggedPcrs } from "../../../attester/cli/tpm/unlogged.ts";
import { bootLogs, measurementsOf, memoryEventLogs, sampleLaunch } from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { EventType, encodeTcgLog } from "../../../shared/event-log/index.ts";
import { ALL_PCRS, TpmAlg } from "../../../shared/tpm/index.ts";
import { startTpmServer } from "../../support/tpm-server.ts";
import { runHere } from "./run-here.ts";

const NONE = new Uint8Array(0);

describe("fobnail tpm eventlog", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-tpm-eventlog-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const put = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const logIn = (hash: number, type: number = EventType.POST_CODE) =>
    encodeTcgLog({
      ...{ format: "crypto-agile", algorithms: [{ hash, digestBytes: 32 }], vendorInfo: NONE },
      events: [{ pcr: 0, type, digests: [{ hash, digest: new Uint8Array(32) }], data: NONE }],
    });
  const eventlog = (...args: readonly string[]) => runHere(["eventlog", "--tpm", "emulator", ...args], tpmCommand());

  it("1: nothing was compared, in banks that the TPM does not have", async () => {
    const log = put("sm3", logIn(TpmAlg.SM3_256));
    for (const more of [[], ["--json"]]) {
      const { code, output } = await eventlog("--firmware-log", log, ...more);
      assert.match(output, /^error: nothing was compared: the TPM has bank sha1, .*, the logs tell of bank sm3-256$/m);
      assert.equal(code, 1, output);
    }
  });

  it("1: nothing was compared, as the logs tell of remarks alone", async () => {
    const log = put("remarks", logIn(TpmAlg.SHA256, EventType.NO_ACTION));
    const { code, output } = await eventlog("--firmware-log", log);
    assert.match(
      output,
      /^error: nothing was compared: .* the logs tell of bank sha256, but of no PCR that can be compared$/m,
    );
    assert.equal(code, 1, output);
  });

  it("1: PCRs that were extended and are in no log, where the logs should tell of them", async () => {
    const logsOf = (firmware: typeof APU2.firmware) =>
      memoryEventLogs(() => bootLogs(measurementsOf({ firmware, launch: sampleLaunch() }), [TpmAlg.SHA256])).read();
    const [whole, launch] = await logsOf(APU2.firmware);
    const [partial] = await logsOf(APU2.firmware.filter(({ pcr }) => pcr !== 4));
    const file = (name: string, bytes: Uint8Array | undefined) => put(name, bytes ?? assert.fail());
    const drtm = ["--drtm-log", file("launch", launch)];
    const server = await startTpmServer(Date.UTC(2026, 0, 1));
    const look = (...args: readonly string[]) => runHere(["eventlog", "--tpm", server.spec, ...args], tpmCommand());
    try {
      await server.boot();
      const all = await look("--firmware-log", file("whole", whole), ...drtm);
      assert.equal(all.code, 0, all.output);
      assert.doesNotMatch(all.output, /not in the logs/i);
      const without4 = await look("--firmware-log", file("partial", partial), ...drtm);
      assert.match(without4.output, /^sha256 PCR {2}4 {2}NOT IN THE LOGS: TPM [0-9a-f]{64}$/m);
      assert.match(without4.output, /^error: 1 PCRs were extended without a word in the logs$/m);
      assert.equal(without4.code, 1);
      const launchOnly = await look(...drtm);
      assert.match(launchOnly.output, /^sha256 PCR {2}4 {2}not in the logs, nor of their kind$/m);
      assert.equal(launchOnly.code, 0, launchOnly.output);
      const json = await look(...drtm, "--json");
      const { unlogged } = JSON.parse(json.output);
      assert.deepEqual([...new Set(unlogged.map(({ belongs }: { belongs: boolean }) => belongs))], [false]);
    } finally {
      await server.close();
    }
  });

  it("knows what PCRs start with, and banks that no log tells of", () => {
    const event = (pcr: number) => ({
      pcr,
      type: EventType.POST_CODE,
      digests: [{ hash: TpmAlg.SHA256, digest: new Uint8Array(32) }],
      data: NONE,
    });
    const events = [event(1), event(17)];
    const values = Array.from({ length: 24 }, (_, pcr) => new Uint8Array(32).fill(pcr >= 17 && pcr <= 22 ? 0xff : 0));
    const bank = (changes: Readonly<Record<number, Uint8Array>>, hash: number = TpmAlg.SHA256) => ({
      hash,
      pcrSelect: ALL_PCRS,
      values: values.map((value, pcr) => changes[pcr] ?? value),
    });
    const start = (last: number, size = 32) => Uint8Array.of(...new Uint8Array(size - 1), last);
    const found = (...banks: readonly ReturnType<typeof bank>[]) =>
      unloggedPcrs(banks, events).map(({ pcr, belongs }) => `${pcr} ${belongs}`);
    assert.deepEqual(found(bank({})), []);
    assert.deepEqual(found(bank({ 0: start(4), 18: start(0), 22: start(0) })), []);
    assert.deepEqual(
      found(bank({ 0: start(5), 2: start(1), 10: start(1), 18: start(1), 19: start(1), 23: start(1) })),
      [...["0 true", "2 true", "10 false", "18 true", "19 false", "23 false"]],
    );
    assert.deepEqual(found(bank({ 2: new Uint8Array(32).fill(0xff) })), ["2 true"]);
    assert.deepEqual(found(bank({ 2: start(1) }, TpmAlg.SHA384)), []);
  });

  it("2: names the file that is no event log", async () => {
    const [log, garbage] = [put("sha256", logIn(TpmAlg.SHA256)), put("garbage", Uint8Array.of(1, 2, 3))];
    const { code, output } = await eventlog("--firmware-log", log, "--drtm-log", garbage);
    assert.ok(output.includes(`error: ${garbage} is no event log: `), output);
    assert.equal(code, 2, output);
  });
});
