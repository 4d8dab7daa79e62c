import assert from "node:assert/strict";
import { concat, encode, u16le, u32le, u64le, utf8 } from "../../../shared/bytes/index.ts";
import {
  describeEvent,
  EventType,
  eventTypeName,
  type LaunchStep,
  type LogEvent,
  stepOf,
} from "../../../shared/event-log/index.ts";
import { hex } from "../../fuzz/decoder.ts";
import {
  APU2_LAUNCHES,
  devicePath,
  EFI_EVENTS,
  eventOf,
  imageLoad,
  loadOption,
  signatureList,
  uefiVariable,
} from "../../support/event-logs.ts";
import { fuzzedInputs } from "../../support/fuzz.ts";

const TYPES = Object.values(EventType);
const zeros = (size: number) => new Uint8Array(size);

/** PCR, type, data; sentence, step. */
const rows: readonly (readonly [number, keyof typeof EventType, Uint8Array | string, string, LaunchStep])[] = [
  [0, "S_CRTM_VERSION", hex("3400 2e00 3100 0000"), "S-CRTM version: 4.1", "firmware"],
  [
    0,
    "S_CRTM_VERSION",
    hex("61dfe48bca93d211aa0d00e098032b8c"),
    "S-CRTM version: 8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "firmware",
  ],
  [0, "POST_CODE", "ACPI DATA", "POST code: ACPI DATA", "firmware"],
  [
    0,
    "POST_CODE",
    concat(encode(u64le, 0xff000000n), encode(u64le, 4096n)),
    "POST code: 4096 bytes at 0xff000000",
    "firmware",
  ],
  [
    0,
    "EFI_PLATFORM_FIRMWARE_BLOB",
    concat(encode(u64le, 0x820000n), encode(u64le, 0xe0000n)),
    "Firmware blob: 917504 bytes at 0x820000",
    "firmware",
  ],
  [
    0,
    "EFI_PLATFORM_FIRMWARE_BLOB2",
    concat(hex("03"), utf8("FV1"), encode(u64le, 1n), encode(u64le, 2n)),
    "Firmware blob FV1: 2 bytes at 0x1",
    "firmware",
  ],
  [0, "NO_ACTION", concat(utf8("StartupLocality\0"), hex("03")), "TPM started at locality 3", "firmware"],
  [0, "NO_ACTION", utf8("Spec ID Event00\0abc"), 'Log written by "Spec ID Event00"', "firmware"],
  [4, "SEPARATOR", hex("00000000"), "Separator in PCR 4", "separator"],
  [4, "SEPARATOR", hex("ffffffff"), "Separator in PCR 4", "separator"],
  [4, "SEPARATOR", hex("01000000"), "Separator in PCR 4: the firmware reports an error", "separator"],
  [
    7,
    "EFI_VARIABLE_DRIVER_CONFIG",
    uefiVariable("SecureBoot", hex("01")),
    "UEFI variable SecureBoot: on",
    "secure-boot",
  ],
  [
    7,
    "EFI_VARIABLE_DRIVER_CONFIG",
    uefiVariable("SecureBoot", hex("00")),
    "UEFI variable SecureBoot: off",
    "secure-boot",
  ],
  [7, "EFI_VARIABLE_DRIVER_CONFIG", uefiVariable("PK", zeros(0)), "UEFI variable PK: empty", "secure-boot"],
  [
    7,
    "EFI_VARIABLE_DRIVER_CONFIG",
    uefiVariable("db", concat(signatureList(2), signatureList(1))),
    "UEFI variable db: 3 entries, 200 bytes",
    "secure-boot",
  ],
  [7, "EFI_VARIABLE_DRIVER_CONFIG", uefiVariable("dbx", hex("0102")), "UEFI variable dbx: 2 bytes", "secure-boot"],
  [
    7,
    "EFI_VARIABLE_AUTHORITY",
    uefiVariable("db", zeros(60)),
    "Image authorized by an entry of db: 60 bytes",
    "secure-boot",
  ],
  [
    1,
    "EFI_VARIABLE_BOOT",
    uefiVariable("BootOrder", hex("0100 0a00")),
    "UEFI variable BootOrder: Boot0001, Boot000A",
    "firmware-settings",
  ],
  [
    1,
    "EFI_VARIABLE_BOOT2",
    uefiVariable("Boot0001", loadOption("debian")),
    "UEFI variable Boot0001: debian, \\EFI\\debian\\grubx64.efi on PciRoot(0x0)/Pci(0x1f,0x2)/Sata(0,65535,0)/HD(1,GPT,03020100-0504-0706-0809-0a0b0c0d0e0f)",
    "firmware-settings",
  ],
  [
    4,
    "EFI_BOOT_SERVICES_APPLICATION",
    imageLoad(devicePath()),
    "UEFI application \\EFI\\debian\\grubx64.efi: on PciRoot(0x0)/Pci(0x1f,0x2)/Sata(0,65535,0)/HD(1,GPT,03020100-0504-0706-0809-0a0b0c0d0e0f)",
    "boot-loader",
  ],
  [2, "EFI_BOOT_SERVICES_DRIVER", imageLoad(zeros(0)), "UEFI boot driver: 4096 bytes at 0x7e000000", "firmware"],
  [
    2,
    "EFI_RUNTIME_SERVICES_DRIVER",
    imageLoad(hex("0101")),
    "UEFI runtime driver: 4096 bytes, device path malformed",
    "firmware",
  ],
  [
    1,
    "EFI_HANDOFF_TABLES",
    concat(encode(u64le, 1n), hex("61dfe48bca93d211aa0d00e098032b8c"), zeros(8)),
    "Hand-off tables: 8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "firmware-settings",
  ],
  [
    4,
    "EFI_ACTION",
    "Calling EFI Application from Boot Option",
    "Firmware action: Calling EFI Application from Boot Option",
    "boot-loader",
  ],
  [8, "IPL", "grub_cmd: linux /vmlinuz root=/dev/sda1\0", "GRUB command: linux /vmlinuz root=/dev/sda1", "boot-loader"],
  [8, "IPL", "kernel_cmdline: /vmlinuz ro\0", "Kernel command line: /vmlinuz ro", "command-line"],
  [9, "IPL", "(hd0,gpt2)/vmlinuz\0", "File read by the boot loader: (hd0,gpt2)/vmlinuz", "boot-loader"],
  [12, "IPL", hex("71007500690065007400 0000"), "Boot loader: quiet", "other"],
  [
    9,
    "EVENT_TAG",
    concat(encode(u32le, 0x8f3b22ec), encode(u32le, 13), utf8("Linux initrd\0")),
    "Tagged event 0x8f3b22ec: Linux initrd",
    "initrd",
  ],
  [
    9,
    "EVENT_TAG",
    concat(encode(u32le, 0x8f3b22ed), encode(u32le, 1), hex("00")),
    "Tagged event 0x8f3b22ed: 1 bytes",
    "command-line",
  ],
  [
    5,
    "EFI_GPT_EVENT",
    EFI_EVENTS.gpt,
    'Partition table of disk 03020100-0504-0706-0809-0a0b0c0d0e0f: EFI System "EFI", Linux',
    "boot-loader",
  ],
  [17, "SLAUNCH", "SKINIT", "Loader measured by the CPU (SKINIT)", "loader"],
  [18, "SLAUNCH", "Measured bootloader data into PCR18", "Measured bootloader data into PCR18", "bootloader-data"],
  [18, "SLAUNCH", "Measured boot parameters into PCR18", "Measured boot parameters into PCR18", "boot-parameters"],
  [17, "SLAUNCH", "Measured Kernel into PCR17", "Measured Kernel into PCR17", "kernel"],
  [19, "SLAUNCH", "Measured target kernel into PCR19", "Measured target kernel into PCR19", "target"],
  [17, "SLAUNCH", "Capped PCR17", "Capped PCR17", "cap"],
  [7, "EVENT_TAG", "Capped PCR7", "EV_EVENT_TAG: Capped PCR7", "cap"],
  [17, "SLAUNCH_START", zeros(0), "Measurements of the secure launch begin", "other"],
  [10, "EFI_VARIABLE_BOOT", hex("0102"), "EV_EFI_VARIABLE_BOOT: 2 bytes, 0102", "ima"],
  [3, "NONHOST_INFO", zeros(0), "EV_NONHOST_INFO, no data", "firmware-settings"],
  [16, "ACTION", utf8("\u001b]0;x\u0007"), "EV_ACTION: 6 bytes, 1b5d303b7807", "other"],
];

describe("description of events", () => {
  for (const [pcr, type, data, expected, step] of rows) {
    it(`${expected.slice(0, 60)} (${step})`, () => {
      const event = eventOf(pcr, EventType[type], data);
      assert.equal(describeEvent(event), expected);
      assert.equal(stepOf(event), step);
    });
  }

  it("knows every event of the published launch", () => {
    const texts = APU2_LAUNCHES[0]?.events.map(describeEvent);
    assert.equal(texts?.[0], "Loader measured by the CPU (SKINIT)");
    assert.equal(texts?.[4], "Measured initramfs into PCR17");
  });

  it("names types, and types that it does not know", () => {
    assert.equal(eventTypeName(EventType.SEPARATOR), "EV_SEPARATOR");
    assert.equal(eventTypeName(0x8000_0bad), "0x80000bad");
    assert.equal(describeEvent(eventOf(0, 0x8000_0bad, hex("01"))), "0x80000bad: 1 bytes, 01");
  });

  it("of any data is one short line without control characters", () => {
    const seeds = [
      ...rows.map(([, , data]) => (typeof data === "string" ? utf8(data) : data)),
      ...Object.values(EFI_EVENTS),
    ];
    let i = 0;
    for (const data of fuzzedInputs("descriptions", seeds)) {
      const event: LogEvent = { pcr: i % 24, type: TYPES[i++ % TYPES.length] ?? 0, digests: [], data };
      const text = describeEvent(event);
      assert.match(text, /^[^\p{Cc}\p{Cf}]{1,250}$/u);
      stepOf(event);
    }
  });

  it("follows no device path for ever, and stops at any size", () => {
    const node = concat(hex("0101"), encode(u16le, 6), hex("0001"));
    const long = concat(...Array.from({ length: 200 }, () => node), hex("7fff0400"));
    assert.match(
      describeEvent(eventOf(4, EventType.EFI_BOOT_SERVICES_APPLICATION, imageLoad(long))),
      /device path malformed/,
    );
  });
});
