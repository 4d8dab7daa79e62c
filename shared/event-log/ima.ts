/** IMA's binary measurement list, binary_runtime_measurements: Linux, security/integrity/ima/ima_fs.c; little-endian, as on x86. */
import {
  CodecError,
  concat,
  decode,
  encode,
  equal,
  fixed,
  inField,
  Reader,
  seenFrom,
  struct,
  u32le,
} from "../bytes/index.ts";
import { digestSize } from "../crypto/index.ts";
import { hashNameOf, TpmAlg, TpmLimit } from "../tpm/index.ts";
import { digestIn, EventType, type LogEvent } from "./event.ts";
import { ImaTemplate, ImaTemplateName, imaFileOf, imaTemplateHash, imaViolation } from "./ima-template.ts";
import type { LogAlgorithm } from "./spec-id.ts";
import { MAX_EVENTS, MAX_LOG_BYTES } from "./tcg-log.ts";

const SHA1_BYTES = 20;
const SHA1: LogAlgorithm = { hash: TpmAlg.SHA1, digestBytes: SHA1_BYTES };
const NO_HASH = new Uint8Array(SHA1_BYTES);
const ONES = new Uint8Array(SHA1_BYTES).fill(0xff);

export interface ImaLog {
  readonly format: "ima";
  /** The list holds SHA-1 only; see withImaBank for others. */
  readonly algorithms: readonly LogAlgorithm[];
  /** What the SHA-1 bank took: of a violation, whose template hash is zero in the list, all ones. */
  readonly events: readonly LogEvent[];
}

const Head = struct("IMA entry", { pcr: u32le, templateHash: fixed(SHA1_BYTES) });

/** The whole list. CodecError with the entry's number and field; data of ima, ima-ng and ima-sig are looked into, others kept as they are. */
export function decodeImaLog(file: Uint8Array): ImaLog {
  return inField("IMA log", () => {
    const reader = new Reader(file);
    if (file.byteLength > MAX_LOG_BYTES) reader.fail(`more than ${MAX_LOG_BYTES} bytes`);
    const events: LogEvent[] = [];
    do {
      if (events.length === MAX_EVENTS) reader.fail(`more than ${MAX_EVENTS} entries`);
      try {
        events.push(readEntry(reader, file));
      } catch (error) {
        throw seenFrom(`entries[${events.length}]`, error);
      }
    } while (reader.remaining > 0);
    return { format: "ima", algorithms: [SHA1], events };
  });
}

function readEntry(reader: Reader, file: Uint8Array): LogEvent {
  const { pcr, templateHash } = Head.read(reader);
  if (pcr >= TpmLimit.PCRS) reader.fail(`there is no PCR ${pcr}`);
  if (equal(templateHash, ONES))
    reader.fail("a template hash of all ones, which stands for a violation in the TPM only");
  const from = reader.offset;
  const template = ImaTemplate.read(reader);
  const data = file.subarray(from, reader.offset);
  try {
    imaFileOf(template);
  } catch (error) {
    throw error instanceof CodecError ? error.within("template data", from) : error;
  }
  const digest = equal(templateHash, NO_HASH) ? ONES : templateHash;
  return { pcr, type: EventType.IMA_ENTRY, digests: [{ hash: TpmAlg.SHA1, digest }], data };
}

/** The list again. RangeError on events that are no IMA entries. */
export function encodeImaLog({ events }: ImaLog): Uint8Array {
  const entries = events.flatMap((event) => {
    const digest = digestIn(event, TpmAlg.SHA1);
    if (event.type !== EventType.IMA_ENTRY || digest === undefined) throw new RangeError("not an IMA entry");
    return [encode(Head, { pcr: event.pcr, templateHash: equal(digest, ONES) ? NO_HASH : digest }), event.data];
  });
  return concat(...entries);
}

/** How the kernel extends banks other than SHA-1: with hashes of their own since Linux 5.8, before it with what SHA-1 took, filled up with zeros. */
export type ImaStyle = "hashed" | "padded-sha1";

/** The same events with what another bank took. RangeError when the hash is not one that we compute. */
export function withImaBank(events: readonly LogEvent[], hash: number, style: ImaStyle): readonly LogEvent[] {
  return events.map((event) => {
    const sha1 = digestIn(event, TpmAlg.SHA1);
    if (event.type !== EventType.IMA_ENTRY || sha1 === undefined || digestIn(event, hash) !== undefined) return event;
    return { ...event, digests: [...event.digests, { hash, digest: extendedValue(event, sha1, hash, style) }] };
  });
}

function extendedValue({ data }: LogEvent, sha1: Uint8Array, hash: number, style: ImaStyle): Uint8Array {
  const name = hashNameOf(hash);
  const violation = imaViolation(hash);
  if (name === undefined || violation === undefined)
    throw new RangeError(`TPM_ALG_ID 0x${hash.toString(16)} is no hash known here`);
  // ima_pcr_extend() copied the 20 bytes of SHA-1, be they a hash or a violation's ones, into a digest of zeros.
  if (style === "padded-sha1") return concat(sha1, new Uint8Array(digestSize(name) - SHA1_BYTES));
  return equal(sha1, ONES) ? violation : imaTemplateHash(decode(ImaTemplate, data), hash);
}

/** Whether an IMA event's data are what its SHA-1 digest was made of; also true of a violation, which has no digest of anything. */
export function isImaFaithful(event: LogEvent): boolean {
  const digest = digestIn(event, TpmAlg.SHA1);
  if (digest === undefined) return false;
  return equal(digest, ONES) || equal(digest, imaTemplateHash(decode(ImaTemplate, event.data), TpmAlg.SHA1));
}

/** An entry whose template hash is right. */
export function imaEvent(template: ImaTemplate, pcr = 10): LogEvent {
  const digest = imaTemplateHash(template, TpmAlg.SHA1);
  return {
    pcr,
    type: EventType.IMA_ENTRY,
    digests: [{ hash: TpmAlg.SHA1, digest }],
    data: encode(ImaTemplate, template),
  };
}

/** Whether a file begins like IMA's list: a template's name where logs of the TCG have the middle of a digest, mostly zeros. */
export function looksLikeIma(file: Uint8Array): boolean {
  const reader = new Reader(file);
  try {
    Head.read(reader);
    ImaTemplateName.read(reader);
    return true;
  } catch (error) {
    if (error instanceof CodecError) return false; // it is not
    throw error;
  }
}
