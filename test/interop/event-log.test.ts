/** Debian's tpm2_eventlog as the judge of the logs that are written here, and of what they replay to. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { toHex, utf8 } from "../../shared/bytes/index.ts";
import {
  bankName,
  EventType,
  encodeTcgLog,
  isMeasured,
  type LogAlgorithm,
  type LogEvent,
  replayLog,
  type TcgLog,
} from "../../shared/event-log/index.ts";
import { replay, TpmAlg } from "../../shared/tpm/index.ts";
import { hex } from "../fuzz/decoder.ts";
import {
  APU2_LAUNCHES,
  agileLog,
  drtmLog,
  EFI_EVENTS,
  eventOf,
  FIRMWARE_EVENTS,
  sha1Log,
} from "../support/event-logs.ts";
import { needs } from "../support/programs.ts";

const ALL: readonly LogAlgorithm[] = [
  { hash: TpmAlg.SHA1, digestBytes: 20 },
  { hash: TpmAlg.SHA256, digestBytes: 32 },
  { hash: TpmAlg.SHA384, digestBytes: 48 },
  { hash: TpmAlg.SHA512, digestBytes: 64 },
];
const banks = ALL.map(({ hash }) => hash);
const all = (pcr: number, type: number, data: Uint8Array | string) => eventOf(pcr, type, data, { banks });

const everyBank = [
  all(0, EventType.S_CRTM_VERSION, hex("3400 2e00 3100 0000")),
  all(7, EventType.EFI_VARIABLE_DRIVER_CONFIG, EFI_EVENTS.variable),
  all(5, EventType.EFI_GPT_EVENT, EFI_EVENTS.gpt),
  all(4, EventType.EFI_BOOT_SERVICES_APPLICATION, EFI_EVENTS.image),
  all(4, EventType.EFI_ACTION, "Calling EFI Application from Boot Option"),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => all(pcr, EventType.SEPARATOR, hex("00000000"))),
  all(8, EventType.IPL, "grub_cmd: linux /vmlinuz ro\0"),
  all(9, EventType.IPL, "/vmlinuz\0"),
];
/** As the kernel's stub writes them: an event for each bank. */
const oneBankEach = (APU2_LAUNCHES[0]?.events ?? []).flatMap(({ pcr, data }) =>
  [TpmAlg.SHA1, TpmAlg.SHA256].map((bank) => eventOf(pcr, EventType.SLAUNCH, data, { banks: [bank] })),
);
const remark = all(0, EventType.NO_ACTION, Uint8Array.of(...utf8("StartupLocality\0"), 3));

const logs: readonly (readonly [name: string, log: TcgLog])[] = [
  ["a SHA-1 log", sha1Log(FIRMWARE_EVENTS.map((event) => ({ ...event, digests: event.digests.slice(0, 1) })))],
  ["a crypto-agile log in four banks", agileLog(everyBank, ALL)],
  ["the published launch of the apu2", drtmLog(APU2_LAUNCHES[0]?.events ?? [])],
  ["the other published launch", drtmLog(APU2_LAUNCHES[1]?.events ?? [])],
  ["a launch with an event for each bank", drtmLog(oneBankEach)],
];

/** `sha256 17`, and the value as a number: the tool prints numbers without their leading zeros. */
type Values = Readonly<Record<string, bigint>>;

describe("event logs against tpm2_eventlog", () => {
  let folder = "";

  before(function () {
    needs(this, "tpm2_eventlog");
    folder = mkdtempSync(join(tmpdir(), "fobnail-tool-log-"));
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  });

  function readByTool(log: TcgLog): { readonly values: Values; readonly events: number } {
    const file = join(folder, "log");
    writeFileSync(file, encodeTcgLog(log));
    const text = execFileSync("tpm2_eventlog", [file], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const options = { intAsBigInt: true, uniqueKeys: false } as const; // of SHA-1 logs the tool makes one map of all events
    const { pcrs }: { pcrs: Record<string, Record<string, bigint>> } = parse(text, options);
    const values = Object.entries(pcrs).flatMap(([bank, own]) =>
      Object.entries(own).map(([pcr, value]) => [`${bank} ${pcr}`, value] as const),
    );
    return { values: Object.fromEntries(values), events: text.match(/\bPCRIndex: /g)?.length ?? 0 };
  }

  function replayedHere({ algorithms, events }: TcgLog): Values {
    const values = algorithms.flatMap(({ hash }) =>
      [...replayLog(events, hash)].map(
        ([pcr, value]) => [`${bankName(hash)} ${pcr}`, BigInt(`0x${toHex(value)}`)] as const,
      ),
    );
    return Object.fromEntries(values);
  }

  for (const [name, log] of logs) {
    it(`${name}: it sees every event, and the same values in every bank`, () => {
      const { values, events } = readByTool(log);
      assert.ok(Object.keys(values).length >= 2);
      assert.deepEqual(values, replayedHere(log));
      assert.equal(events, log.events.length + (log.format === "sha1" ? 0 : 1), "the header is an event for it");
    });
  }

  it("a startup locality: it extends the remark, which no TPM does; everything but PCR 0 is the same", () => {
    const log = agileLog([remark, ...everyBank], ALL);
    const { values } = readByTool(log);
    const here = replayedHere(log);
    const others = (all_: Values) => Object.entries(all_).filter(([key]) => !key.endsWith(" 0"));
    assert.deepEqual(others(values), others(here));
    for (const { hash } of ALL) {
      const extended = (events: readonly LogEvent[]) => events.filter(({ pcr }) => pcr === 0).flatMap(({ digests }) => digests.filter((d) => d.hash === hash).map((d) => d.digest)); // biome-ignore format: one chain
      const key = `${bankName(hash)} 0`;
      assert.equal(
        values[key],
        BigInt(`0x${toHex(replay(hash, extended(log.events)))}`),
        "the tool changed: mind tpm.md",
      );
      const measured = extended(log.events.filter(isMeasured));
      const start = new Uint8Array(measured[0]?.byteLength ?? 0);
      start[start.byteLength - 1] = 3;
      assert.equal(here[key], BigInt(`0x${toHex(replay(hash, measured, start))}`));
    }
  });
});
