import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { bootLogs, expectedPcr, measurementsOf, memoryEventLogs, sampleLaunch } from "../../attester/dlme/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { toHex } from "../../shared/bytes/index.ts";
import { hashAlgOf, TpmAlg } from "../../shared/tpm/index.ts";
import { needs } from "../support/programs.ts";

/** tpm2-tools read the logs of a simulated boot and replay them to the same values. */
describe("logs of a simulated boot, read by tpm2_eventlog", () => {
  const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
  let folder = "";

  before(function () {
    needs(this, "tpm2_eventlog");
    folder = mkdtempSync(join(tmpdir(), "fobnail-eventlog-"));
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  });

  /** Values by bank and PCR; the tool prints them as hexadecimal numbers without their leading zeros. */
  async function readByTool(which: number): Promise<Record<string, Record<string, bigint>>> {
    const files = await memoryEventLogs(() => bootLogs(measurements, [TpmAlg.SHA1, TpmAlg.SHA256])).read();
    const file = join(folder, String(which));
    writeFileSync(file, files[which] ?? assert.fail());
    const text = execFileSync("tpm2_eventlog", [file], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const document: unknown = parse(text, { intAsBigInt: true });
    assert.ok(typeof document === "object" && document !== null && "pcrs" in document);
    return JSON.parse(JSON.stringify(document.pcrs, (_, value) => (typeof value === "bigint" ? `${value}` : value)), (_, value) => (typeof value === "string" ? BigInt(value) : value)); // biome-ignore format: there and back
  }

  for (const [which, name, pcrs] of [
    [0, "the firmware's", [0, 1, 2, 3, 4, 5, 6, 7]],
    [1, "the launch's", [17, 18]],
  ] as const) {
    it(name, async () => {
      const banks = await readByTool(which);
      assert.deepEqual(Object.keys(banks), ["sha1", "sha256"]);
      for (const bank of ["sha1", "sha256"] as const) {
        const ours = pcrs.map((pcr) => [
          String(pcr),
          BigInt(`0x${toHex(expectedPcr(measurements, hashAlgOf(bank), pcr))}`),
        ]);
        assert.deepEqual(banks[bank], Object.fromEntries(ours));
      }
    });
  }
});
