/** One sentence on an event, for people. */
import { toHex } from "../bytes/index.ts";
import { decoded, EFI_SENTENCES, unlessMalformed } from "./describe-efi.ts";
import { TaggedEvent, UefiFirmwareBlob } from "./efi.ts";
import { EventType, eventTypeName, type LogEvent } from "./event.ts";
import { guidText } from "./guid.ts";
import { describeImaEvent } from "./ima-template.ts";
import { isStartupLocality } from "./replay.ts";
import { isText, plainText, textOf, wideTextOf } from "./text.ts";

const SHOWN_BYTES = 16;

/** What the log says about an event: bounded, without control characters. No PCR vouches for it; see LogEvent.data. */
export function describeEvent(event: LogEvent): string {
  const known = EFI_SENTENCES.get(event.type)?.(event.data) ?? SENTENCES.get(event.type)?.(event);
  return plainText(known ?? rawText(event));
}

function rawText({ type, data }: LogEvent): string {
  const name = eventTypeName(type);
  if (data.byteLength === 0) return `${name}, no data`;
  if (isText(data)) return `${name}: ${textOf(data)}`;
  const start = toHex(data.subarray(0, SHOWN_BYTES));
  return `${name}: ${data.byteLength} bytes, ${start}${data.byteLength > SHOWN_BYTES ? "..." : ""}`;
}

type Sentence = (event: LogEvent) => string | undefined;

/** The text of the event behind a phrase; undefined when it has none. */
const told =
  (phrase: string): Sentence =>
  ({ data }) =>
    isText(data) ? `${phrase}: ${textOf(data)}` : undefined;

const SENTENCES: ReadonlyMap<number, Sentence> = new Map<number, Sentence>([
  [EventType.NO_ACTION, remarkText],
  [EventType.SEPARATOR, separatorText],
  [EventType.POST_CODE, (event) => told("POST code")(event) ?? blobText("POST code", event)],
  [EventType.POST_CODE2, (event) => told("POST code")(event) ?? blobText("POST code", event)],
  [EventType.S_CRTM_VERSION, versionText],
  [EventType.S_CRTM_CONTENTS, (event) => told("S-CRTM contents")(event) ?? blobText("S-CRTM contents", event)],
  [EventType.ACTION, told("Firmware action")],
  [EventType.EFI_ACTION, told("Firmware action")],
  [EventType.EFI_HCRTM_EVENT, () => "H-CRTM measured before the start of the TPM"],
  [EventType.OMIT_BOOT_DEVICE_EVENTS, () => "Firmware leaves boot devices unmeasured"],
  [EventType.CPU_MICROCODE, told("CPU microcode")],
  [EventType.IPL, bootLoaderText],
  [EventType.EVENT_TAG, taggedText],
  [EventType.SKINIT, loaderText],
  [EventType.IMA_ENTRY, ({ data }) => unlessMalformed(() => describeImaEvent(data))],
  [EventType.SL_KERNEL, launchText],
  [EventType.SLAUNCH, launchText],
  [EventType.SLAUNCH_START, () => "Measurements of the secure launch begin"],
  [EventType.SLAUNCH_END, () => "Measurements of the secure launch end"],
]);

function remarkText({ data }: LogEvent): string | undefined {
  if (isStartupLocality(data)) return `TPM started at locality ${data.at(-1)}`;
  const signature = textOf(data.subarray(0, SHOWN_BYTES));
  if (signature.startsWith("Spec ID Event")) return `Log written by "${signature}"`;
  if (signature === "SP800-155 Event") return "Where to find the firmware's reference values (SP800-155)";
  return isText(data) ? `Remark: ${textOf(data)}` : undefined;
}

/** Four bytes: 0 or all ones when the firmware hands over, 1 when it ran into an error; PC Client Platform Firmware Profile, 3.3.2.2. */
function separatorText({ pcr, data }: LogEvent): string {
  const value = toHex(data);
  if (value === "01000000") return `Separator in PCR ${pcr}: the firmware reports an error`;
  if (value === "00000000" || value === "ffffffff") return `Separator in PCR ${pcr}`;
  return isText(data)
    ? `Separator in PCR ${pcr}: ${textOf(data)}`
    : `Separator in PCR ${pcr}: ${data.byteLength} bytes`;
}

function blobText(what: string, { data }: LogEvent): string | undefined {
  const blob = decoded(UefiFirmwareBlob, data);
  return blob === undefined ? undefined : `${what}: ${blob.length} bytes at 0x${blob.base.toString(16)}`;
}

/** A text, mostly UTF-16, or a GUID. */
function versionText({ data }: LogEvent): string | undefined {
  if (data.byteLength === 0) return "S-CRTM version: none";
  if (isText(data)) return `S-CRTM version: ${textOf(data)}`;
  if (isWideText(data)) return `S-CRTM version: ${wideTextOf(data)}`;
  return data.byteLength === 16 ? `S-CRTM version: ${guidText(data)}` : undefined;
}

/** UTF-16 in which every character is ASCII. */
function isWideText(data: Uint8Array): boolean {
  if (data.byteLength % 2 !== 0) return false;
  const [low, high] = [data.filter((_, i) => i % 2 === 0), data.filter((_, i) => i % 2 === 1)];
  return isText(low) && high.every((byte) => byte === 0);
}

/** What GRUB 2 puts in front of what it measures into PCR 8. */
const GRUB: readonly (readonly [prefix: string, phrase: string])[] = [
  ["grub_cmd: ", "GRUB command"],
  ["kernel_cmdline: ", "Kernel command line"],
  ["module_cmdline: ", "Module command line"],
];
const FILES_PCR = 9;

function bootLoaderText({ pcr, data }: LogEvent): string | undefined {
  if (isWideText(data)) return `Boot loader: ${wideTextOf(data)}`;
  if (!isText(data)) return undefined;
  const text = textOf(data);
  for (const [prefix, phrase] of GRUB) {
    if (text.startsWith(prefix)) return `${phrase}: ${text.slice(prefix.length)}`;
  }
  return pcr === FILES_PCR ? `File read by the boot loader: ${text}` : `Boot loader: ${text}`;
}

function taggedText({ data }: LogEvent): string | undefined {
  const tagged = decoded(TaggedEvent, data);
  if (tagged === undefined) return undefined;
  const { id, data: body } = tagged;
  const text = isText(body) ? textOf(body) : isWideText(body) ? wideTextOf(body) : `${body.byteLength} bytes`;
  return `Tagged event 0x${id.toString(16)}: ${text}`;
}

function loaderText({ data }: LogEvent): string | undefined {
  if (!isText(data)) return undefined;
  const text = textOf(data);
  return text === "SKINIT" ? "Loader measured by the CPU (SKINIT)" : `Loader: ${text}`;
}

/** The loader and the kernel's stub write sentences themselves. */
function launchText({ data }: LogEvent): string | undefined {
  if (!isText(data)) return undefined;
  const text = textOf(data);
  return text === "SKINIT" ? "Loader measured by the CPU (SKINIT)" : text;
}
