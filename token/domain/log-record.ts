import {
  type Codec,
  CodecError,
  constant,
  decode,
  encode,
  fixed,
  inField,
  list,
  mapped,
  sized,
  struct,
  u8,
  u16be,
  utf8,
} from "../../shared/bytes/index.ts";
import { digestSize } from "../../shared/crypto/index.ts";
import type { LaunchStep, LogSummary, SummaryEvent } from "../../shared/event-log/index.ts";
import { Limit } from "../../shared/protocol/index.ts";
import { hashNameOf } from "../../shared/tpm/index.ts";

/** An event log as the token keeps it beside the reference values: docs/storage-format.md. */

/** So that a platform's record is a value of the store, whatever else is in it. Some 230 events with SHA-256 digests. */
export const KEPT_LOG_BYTES = 8_192;
const VERSION = 1;

/** Logs that are kept stay: a code means the same for ever. */
const STEP_CODES: Readonly<Record<LaunchStep, number>> = {
  other: 0,
  firmware: 1,
  "firmware-settings": 2,
  "secure-boot": 3,
  separator: 4,
  "boot-loader": 5,
  loader: 6,
  "bootloader-data": 7,
  kernel: 8,
  "boot-parameters": 9,
  "command-line": 10,
  initrd: 11,
  ima: 12,
  target: 13,
  cap: 14,
};
const STEPS: ReadonlyMap<number, LaunchStep> = new Map(
  (Object.keys(STEP_CODES) as LaunchStep[]).map((step) => [STEP_CODES[step], step]), // the record has these keys and no other
);

const stepCode: Codec<LaunchStep> = mapped(
  u8,
  (code) => STEPS.get(code),
  (step) => STEP_CODES[step],
);

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readWords(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const words: Codec<string> = mapped(sized(u8, Limit.LOG_TEXT_BYTES), readWords, utf8);

const Head = struct("kept log", { version: constant(u8, VERSION), hash: u16be, startupLocality: u8 });

/** The events of a bank; undefined when its hash is not one of ours. */
function eventsOf(hash: number): Codec<readonly SummaryEvent[]> | undefined {
  const name = hashNameOf(hash);
  if (name === undefined) return undefined;
  const event = struct("event", { pcr: u8, step: stepCode, description: words, digest: fixed(digestSize(name)) });
  return list(u16be, event, Limit.LOG_EVENTS);
}

export const KeptLog: Codec<LogSummary> = {
  read(from) {
    const { hash, startupLocality } = Head.read(from);
    const codec = eventsOf(hash);
    if (codec === undefined) throw new CodecError("no hash known here", "kept log.hash", 1);
    return { hash, startupLocality, events: inField("events", () => codec.read(from)) };
  },
  write(to, { hash, startupLocality, events }) {
    const codec = eventsOf(hash);
    if (codec === undefined) throw new RangeError(`TPM_ALG_ID 0x${hash.toString(16)} is no hash known here`);
    Head.write(to, { version: VERSION, hash, startupLocality });
    codec.write(to, events);
  },
};

/** What is left of each event's words in UTF-8, the first that makes the log fit. */
const WORD_BYTES: readonly number[] = [Limit.LOG_TEXT_BYTES, 32, 16, 0];

/** The log as it is kept: words are cut until it fits. Undefined when the digests alone do not. */
export function packLog(log: LogSummary): Uint8Array | undefined {
  for (const wordBytes of WORD_BYTES) {
    const packed = encode(KeptLog, withWords(log, wordBytes));
    if (packed.byteLength <= KEPT_LOG_BYTES) return packed;
  }
  return undefined;
}

export function unpackLog(packed: Uint8Array): LogSummary {
  return decode(KeptLog, packed, "log");
}

/** Undefined for one that cannot be read: it explains a red, and no red waits for that. */
export function readableLog(packed: Uint8Array): LogSummary | undefined {
  try {
    return unpackLog(packed);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** The same without words. */
export function wordless(packed: Uint8Array): Uint8Array {
  return encode(KeptLog, withWords(unpackLog(packed), 0));
}

function withWords(log: LogSummary, wordBytes: number): LogSummary {
  return { ...log, events: log.events.map((event) => ({ ...event, description: cut(event.description, wordBytes) })) };
}

/** Whole characters only. */
function cut(text: string, maxBytes: number): string {
  let kept = text;
  while (utf8(kept).byteLength > maxBytes) kept = [...kept].slice(0, -1).join("");
  return kept;
}
