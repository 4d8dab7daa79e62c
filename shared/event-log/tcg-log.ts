/** Event logs of the TCG: SHA-1, crypto-agile (PC Client Platform Firmware Profile, 10.2), and DRTM logs of TrenchBoot. */
import {
  CodecError,
  concat,
  decode,
  encode,
  inField,
  Reader,
  seenFrom,
  sized,
  u16le,
  u32le,
  Writer,
} from "../bytes/index.ts";
import { TpmAlg, TpmLimit } from "../tpm/index.ts";
import { EventType, isMeasured, type LogDigest, type LogEvent } from "./event.ts";
import {
  announcesAgileLog,
  DEFAULT_SPECIFICATION,
  DRTM_VENDOR_INFO_BYTES,
  DrtmVendorInfo,
  type LogAlgorithm,
  type LogSpecification,
  MAX_EVENT_BYTES,
  specIdEvent,
  TcgEfiSpecIdEvent,
  TcgPcrEvent,
} from "./spec-id.ts";

/** Files over this are refused; a firmware's log has some 100 KB. */
export const MAX_LOG_BYTES = 64 << 20;
/** Of a log. Long-running machines have some 100,000 in IMA's list; each costs some hundred bytes of memory when it is read, and more when it is compared. */
export const MAX_EVENTS = 1 << 19;
const SHA1_BYTES = 20;
/** PCR and type of a record. Fewer equal bytes may be the beginning of a record that was cut. */
const MIN_PADDING_BYTES = 8;

export interface TcgLog {
  readonly format: "sha1" | "crypto-agile" | "drtm";
  /** The banks, in the order of the header. */
  readonly algorithms: readonly LogAlgorithm[];
  /** Of the header; for a DRTM log a DrtmVendorInfo, whose next_record_offset the encoder fills in. */
  readonly vendorInfo: Uint8Array;
  /** What the header of a crypto-agile or DRTM log names; the usual one when not given. */
  readonly specification?: LogSpecification;
  /** All records behind the header. A SHA-1 log has no header: what its first event says of the specification is an event. */
  readonly events: readonly LogEvent[];
}

const EventData = sized(u32le, MAX_EVENT_BYTES);

/**
 * The whole file. Eight or more bytes of zeros or ones up to its end, where a record would begin, are padding; behind the last record of a DRTM log, which
 * its header names, nothing is looked at. CodecError with the record's number and field.
 */
export function decodeTcgLog(file: Uint8Array): TcgLog {
  return inField("TCG log", () => {
    const reader = new Reader(file);
    if (file.byteLength > MAX_LOG_BYTES) reader.fail(`more than ${MAX_LOG_BYTES} bytes`);
    const first = inField("header", () => TcgPcrEvent.read(reader));
    if (inField("header", () => announcesAgileLog(first))) return agileLog(file, reader, first.event);
    return sha1Log(file);
  });
}

function sha1Log(file: Uint8Array): TcgLog {
  const events = readEvents(new Reader(file), file, readSha1Event);
  return {
    format: "sha1",
    algorithms: [{ hash: TpmAlg.SHA1, digestBytes: SHA1_BYTES }],
    vendorInfo: new Uint8Array(0),
    events,
  };
}

function agileLog(file: Uint8Array, reader: Reader, header: Uint8Array): TcgLog {
  const specId = inField("header", () => decode(TcgEfiSpecIdEvent, header));
  const { signature: _, digestSizes: algorithms, vendorInfo, ...specification } = specId;
  const sizes = new Map(algorithms.map(({ hash, digestBytes }) => [hash, digestBytes]));
  const readEvent = (from: Reader) => readAgileEvent(from, sizes);
  if (vendorInfo.byteLength !== DRTM_VENDOR_INFO_BYTES) {
    const events = readEvents(reader, file, readEvent);
    return { format: "crypto-agile", algorithms, vendorInfo, specification, events };
  }
  const recordBytes = inField("header", () => drtmRecordBytes(reader, vendorInfo));
  const events = readEvents(reader.within(recordBytes), undefined, readEvent);
  return { format: "drtm", algorithms, vendorInfo, specification, events };
}

/** How many bytes of records lie behind the header, as it says itself. */
function drtmRecordBytes(behindHeader: Reader, vendorInfo: Uint8Array): number {
  const { allocated, firstRecordOffset, nextRecordOffset } = decode(DrtmVendorInfo, vendorInfo);
  const headerBytes = behindHeader.offset;
  const fail = (problem: string): never => {
    throw new CodecError(problem, "DRTM vendor info.nextRecordOffset", headerBytes - 4);
  };
  if (nextRecordOffset > allocated) fail(`${nextRecordOffset} is behind the ${allocated} bytes of the log's area`);
  if (nextRecordOffset < headerBytes) fail(`${nextRecordOffset} is within the header of ${headerBytes} bytes`);
  if (firstRecordOffset > nextRecordOffset) fail(`${nextRecordOffset} is before the first record`);
  const recordBytes = nextRecordOffset - headerBytes;
  if (recordBytes > behindHeader.remaining) {
    fail(`${recordBytes} bytes of records announced, ${behindHeader.remaining} are there: the log is cut`);
  }
  return recordBytes;
}

/** Records up to the end; up to padding, where the whole `file` is given. */
function readEvents(reader: Reader, file: Uint8Array | undefined, read: (from: Reader) => LogEvent): LogEvent[] {
  const paddingAt = file === undefined ? Number.POSITIVE_INFINITY : paddingStart(file);
  const events: LogEvent[] = [];
  while (reader.remaining > 0 && (reader.offset < paddingAt || reader.remaining < MIN_PADDING_BYTES)) {
    if (events.length === MAX_EVENTS) reader.fail(`more than ${MAX_EVENTS} events`);
    try {
      events.push(read(reader));
    } catch (error) {
      throw seenFrom(`events[${events.length}]`, error);
    }
  }
  return events;
}

/** Where the file's padding begins, if a record ends there or within; the file's length when it has none. */
function paddingStart(file: Uint8Array): number {
  const last = file.at(-1);
  const end = file.byteLength;
  if (last !== 0 && last !== 0xff) return end;
  let at = end;
  while (at > 0 && file[at - 1] === last) at--;
  return end - at >= MIN_PADDING_BYTES ? at : end;
}

function checkPcr(reader: Reader, pcr: number, type: number): void {
  const free = type === EventType.NO_ACTION; // remarks on no PCR say 0xFFFFFFFF
  if (!free && pcr >= TpmLimit.PCRS) reader.fail(`there is no PCR ${pcr}`);
}

function readSha1Event(reader: Reader): LogEvent {
  const { pcrIndex: pcr, eventType: type, digest, event: data } = TcgPcrEvent.read(reader);
  checkPcr(reader, pcr, type);
  return { pcr, type, digests: [{ hash: TpmAlg.SHA1, digest }], data };
}

/** TCG_PCR_EVENT2, 10.2.2. The Linux stub writes one event for each bank, so banks may be missing. */
function readAgileEvent(reader: Reader, sizes: ReadonlyMap<number, number>): LogEvent {
  return inField("TCG_PCR_EVENT2", () => {
    const pcr = reader.u32le();
    const type = reader.u32le();
    checkPcr(reader, pcr, type);
    const digests = inField("digests", () => readDigests(reader, sizes));
    return { pcr, type, digests, data: inField("event", () => EventData.read(reader)) };
  });
}

function readDigests(reader: Reader, sizes: ReadonlyMap<number, number>): readonly LogDigest[] {
  const count = reader.u32le();
  if (count < 1 || count > sizes.size) reader.fail(`${count} digests in a log of ${sizes.size} banks`);
  const digests: LogDigest[] = [];
  for (let i = 0; i < count; i++) {
    const hash = reader.u16le();
    const size = sizes.get(hash) ?? reader.fail(`algorithm 0x${hash.toString(16)} is not in the header`);
    if (digests.some((other) => other.hash === hash)) reader.fail(`two digests of algorithm 0x${hash.toString(16)}`);
    digests.push({ hash, digest: reader.bytes(size) });
  }
  return digests;
}

/** The file, without padding. RangeError on events that the format cannot hold, or that do not fit a DRTM log's area. */
export function encodeTcgLog(log: TcgLog): Uint8Array {
  if (log.format === "sha1") return encodeEvents(log.events, writeSha1Event);
  const sizes = new Map(log.algorithms.map(({ hash, digestBytes }) => [hash, digestBytes]));
  const records = encodeEvents(log.events, (writer, event) => writeAgileEvent(writer, event, sizes));
  if (log.format === "crypto-agile") return concat(encodeHeader(log, log.vendorInfo), records);
  const info = decode(DrtmVendorInfo, log.vendorInfo);
  const nextRecordOffset = encodeHeader(log, log.vendorInfo).byteLength + records.byteLength;
  if (nextRecordOffset > info.allocated)
    throw new RangeError(`${nextRecordOffset} bytes, the area has ${info.allocated}`);
  return concat(encodeHeader(log, encode(DrtmVendorInfo, { ...info, nextRecordOffset })), records);
}

function encodeHeader(
  { algorithms, specification = DEFAULT_SPECIFICATION }: TcgLog,
  vendorInfo: Uint8Array,
): Uint8Array {
  const event = encode(TcgEfiSpecIdEvent, specIdEvent(specification, algorithms, vendorInfo));
  return encode(TcgPcrEvent, {
    pcrIndex: 0,
    eventType: EventType.NO_ACTION,
    digest: new Uint8Array(SHA1_BYTES),
    event,
  });
}

function encodeEvents(events: readonly LogEvent[], write: (to: Writer, event: LogEvent) => void): Uint8Array {
  const writer = new Writer();
  for (const event of events) {
    if (isMeasured(event) && event.pcr >= TpmLimit.PCRS) throw new RangeError(`there is no PCR ${event.pcr}`);
    write(writer, event);
  }
  return writer.finish();
}

function writeSha1Event(writer: Writer, { pcr, type, digests, data }: LogEvent): void {
  const [only, ...others] = digests;
  if (only?.hash !== TpmAlg.SHA1 || others.length > 0)
    throw new RangeError("a SHA-1 log has one digest for each event");
  TcgPcrEvent.write(writer, { pcrIndex: pcr, eventType: type, digest: only.digest, event: data });
}

function writeAgileEvent(writer: Writer, event: LogEvent, sizes: ReadonlyMap<number, number>): void {
  writer.u32le(event.pcr).u32le(event.type).u32le(event.digests.length);
  for (const { hash, digest } of event.digests) {
    const size = sizes.get(hash);
    if (size !== digest.byteLength)
      throw new RangeError(`${digest.byteLength} bytes for algorithm 0x${hash.toString(16)}`);
    u16le.write(writer, hash);
    writer.bytes(digest);
  }
  EventData.write(writer, event.data);
}
