import assert from "node:assert/strict";
import {
  bootLogs,
  describeDisagreement,
  disagreements,
  expectedPcr,
  type Measurement,
  measurementsOf,
  memoryEventLogs,
  sampleLaunch,
} from "../../../attester/dlme/index.ts";
import { APU2, type FirmwareEvent, measuredEventType } from "../../../attester/platform/index.ts";
import { decode, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { DrtmVendorInfo, decodeTcgLog, replayLog, stepOf } from "../../../shared/event-log/index.ts";
import { pcrNumbers, TpmAlg } from "../../../shared/tpm/index.ts";

const BANKS = [TpmAlg.SHA1, TpmAlg.SHA256];
const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });

const filesOf = (list: readonly Measurement[], banks: readonly number[] = BANKS) =>
  memoryEventLogs(() => bootLogs(list, banks)).read();

describe("logs of a boot", () => {
  it("are the firmware's, crypto-agile, and the launch's, DRTM", async () => {
    const [firmware, drtm, ...more] = (await filesOf(measurements)).map(decodeTcgLog);
    assert.deepEqual([firmware?.format, drtm?.format, more.length], ["crypto-agile", "drtm", 0]);
    assert.deepEqual(drtm?.algorithms, [
      { hash: TpmAlg.SHA1, digestBytes: 20 },
      { hash: TpmAlg.SHA256, digestBytes: 32 },
    ]);
  });

  it("tell the launch as loader and kernel stub do: the stub has a record for each bank", async () => {
    const [, drtm] = await filesOf(measurements);
    const { events, vendorInfo } = decodeTcgLog(drtm ?? assert.fail());
    assert.deepEqual(
      events.map((event) => [event.type, event.pcr, event.digests.length, Buffer.from(event.data).toString()]),
      [
        [0x502, 17, 2, "SKINIT"],
        [0x502, 18, 2, "Measured bootloader data into PCR18"],
        [0x502, 17, 2, "Measured Kernel into PCR17"],
        [0x502, 18, 1, "Measured boot parameters into PCR18"],
        [0x502, 18, 1, "Measured boot parameters into PCR18"],
        [0x502, 18, 1, "Measured Kernel command line into PCR18"],
        [0x502, 18, 1, "Measured Kernel command line into PCR18"],
        [0x502, 17, 1, "Measured initramfs into PCR17"],
        [0x502, 17, 1, "Measured initramfs into PCR17"],
      ],
    );
    const steps = ["loader", "bootloader-data", "kernel", "boot-parameters", "command-line", "initrd"];
    assert.deepEqual([...new Set(events.map(stepOf))], steps);
    const info = decode(DrtmVendorInfo, vendorInfo);
    assert.equal(info.nextRecordOffset, drtm?.byteLength);
    assert.equal(info.firstRecordOffset, 32 + 16 + 12 + 2 * 4 + 1 + 20); // header record, Spec ID event with two banks
    assert.equal(info.allocated, 32_768);
  });

  it("replay to what the PCRs hold, in whatever banks", async () => {
    const banks = [...BANKS, TpmAlg.SHA384, TpmAlg.SHA512];
    const events = (await filesOf(measurements, banks)).flatMap((file) => decodeTcgLog(file).events);
    for (const hash of banks) {
      const replayed = replayLog(events, hash);
      assert.deepEqual([...replayed.keys()], [0, 1, 2, 3, 4, 5, 6, 7, 17, 18]);
      for (const [pcr, value] of replayed) assert.equal(toHex(value), toHex(expectedPcr(measurements, hash, pcr)));
    }
  });

  it("hold what the firmware extended, even a padded SHA-1 digest, with its data", async () => {
    const [firmware] = await filesOf(measurementsOf({ firmware: APU2.firmware }));
    const { events } = decodeTcgLog(firmware ?? assert.fail());
    const separator = events.find(({ pcr }) => pcr === 7) ?? assert.fail();
    assert.equal(toHex(separator.data), "ffffffff");
    assert.match(
      toHex(separator.digests[1]?.digest ?? assert.fail()),
      /^d9be6524a5f5047db5866813acf3277892a7a30a0{24}$/,
    );
  });

  it("are one without a launch", async () => {
    assert.equal((await filesOf(measurementsOf({ firmware: APU2.firmware }))).length, 1);
  });

  it("begin anew with a second launch, which takes back what the first measured", async () => {
    const twice = [...measurements, ...measurements.filter(({ pcr }) => pcr >= 17)];
    assert.deepEqual(await filesOf(twice), await filesOf(measurements));
    const [pcr17] = [17].map((pcr) => toHex(expectedPcr(twice, TpmAlg.SHA256, pcr)));
    assert.equal(pcr17, toHex(expectedPcr(measurements, TpmAlg.SHA256, 17)));
  });

  it("know event types by name and by number, and none that no PCR takes", () => {
    assert.equal(measuredEventType("EV_SEPARATOR"), 4);
    assert.equal(measuredEventType("EV_EFI_VARIABLE_BOOT"), 0x80000002);
    assert.equal(measuredEventType("0x80000123"), 0x80000123);
    for (const name of ["EV_NO_ACTION", "0x00000003", "EV_NOTHING", "", "4"])
      assert.equal(measuredEventType(name), undefined);
    const firmware: FirmwareEvent[] = [{ pcr: 0, event: "EV_NOTHING", data: utf8("x"), style: "hashed" }];
    assert.throws(() => bootLogs(measurementsOf({ firmware }), BANKS), /EV_NOTHING is no type of a measured event/);
    assert.throws(() => bootLogs([], [0x12]), /TPM_ALG_ID 0x12/);
  });
});

describe("TPM, log and replay", () => {
  const logs = bootLogs(measurements, BANKS);
  const ALL = 0xffffff;
  const bank = (list: readonly Measurement[], hash: number = TpmAlg.SHA256) => ({
    hash,
    pcrSelect: ALL,
    values: pcrNumbers(ALL).map((pcr) => expectedPcr(list, hash, pcr)),
  });

  it("agree after a boot, with and without a launch", () => {
    const banks = BANKS.map((hash) => bank(measurements, hash));
    assert.deepEqual(disagreements(measurements, logs, banks), []);
    const plain = measurementsOf({ firmware: APU2.firmware });
    assert.deepEqual(disagreements(plain, bootLogs(plain, BANKS), [bank(plain)]), []);
  });

  it("do not when the TPM was extended with more, which is told with all three values", () => {
    const stranger: Measurement = { ...(measurements[0] ?? assert.fail()), pcr: 9, data: utf8("stranger") };
    const [first, ...more] = disagreements(measurements, logs, [bank([...measurements, stranger])]);
    assert.deepEqual([first?.pcr, more.length], [9, 0]);
    const sentence = describeDisagreement(first ?? assert.fail());
    assert.match(
      sentence,
      /PCR 9 in sha256: the TPM holds [0-9a-f]{64}, the log gives 0{64}, the measurements give 0{64}/,
    );
  });

  it("do not when a log lacks an event, or was never launched", () => {
    const cut = logs.map((log) => (log.format === "drtm" ? { ...log, events: log.events.slice(0, -1) } : log));
    assert.deepEqual(
      disagreements(measurements, cut, [bank(measurements)]).map(({ pcr }) => pcr),
      [17],
    );
    const without = measurements.filter(({ locality }) => locality !== 4); // from all ones
    const found = disagreements(without, bootLogs(without, BANKS), [bank(without)]);
    assert.deepEqual(
      found.map(({ pcr }) => pcr),
      [17, 18],
    );
  });
});
