import { jsonLine } from "../../../hw/terminal/json.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import {
  bankName,
  describeEvent,
  type EventLog,
  eventTypeName,
  isImaFaithful,
  isMeasured,
  type LogEvent,
  stepOf,
} from "../../../shared/event-log/index.ts";
import { readLog, titleOf } from "./read.ts";

const DIGEST_SHOWN = 16;
const TYPE_WIDTH = 32;

/** `fobnail log show`. */
export async function show(path: string, { json }: { readonly json: boolean }): Promise<void> {
  const log = await readLog(path);
  const lines = json ? jsonLines(log) : textLines(log);
  console.log(lines.join("\n"));
}

function textLines(log: EventLog): readonly string[] {
  const width = String(log.events.length).length;
  const head = [`${"#".padStart(width)}`, "PCR", "TYPE".padEnd(TYPE_WIDTH), "DIGEST".padEnd(DIGEST_SHOWN + 2), "EVENT"]; // biome-ignore format: one line of the table
  const rows = log.events.map((event, i) =>
    [
      String(i).padStart(width),
      (event.pcr > 99 ? "-" : String(event.pcr)).padStart(3),
      eventTypeName(event.type).padEnd(TYPE_WIDTH),
      shortDigest(event),
      describeEvent(event),
    ].join("  "),
  );
  return [titleOf(log), head.join("  "), ...rows, ...doubts(log)];
}

/** The beginning of the longest digest. */
function shortDigest(event: LogEvent): string {
  const [digest] = isMeasured(event) ? event.digests.map((d) => d.digest).sort((a, b) => b.length - a.length) : [];
  const text = digest === undefined ? "-" : `${toHex(digest).slice(0, DIGEST_SHOWN)}..`;
  return text.padEnd(DIGEST_SHOWN + 2);
}

/** Of IMA one can tell from the list alone that an entry says something else than what was extended. */
function doubts({ format, events }: EventLog): readonly string[] {
  if (format !== "ima") return [];
  const wrong = events.flatMap((event, i) => (isImaFaithful(event) ? [] : [i]));
  if (wrong.length === 0) return [];
  const places = `${wrong.slice(0, DIGEST_SHOWN).join(", ")}${wrong.length > DIGEST_SHOWN ? ", ..." : ""}`;
  return [`warning: the template hash is not that of the data in ${wrong.length} of ${events.length}: ${places}`];
}

/** First what the log is, then an object for each event. */
function jsonLines(log: EventLog): readonly string[] {
  const { format, algorithms, events } = log;
  const banks = algorithms.map(({ hash, digestBytes }) => ({ bank: bankName(hash), digestBytes }));
  const more = log.format === "ima" ? {} : { ...log.specification, vendorInfo: toHex(log.vendorInfo) };
  const facts = format === "ima" ? imaFactsOf : factsOf;
  return [{ format, banks, events: events.length, ...more }, ...events.map(facts)].map((one) => jsonLine(one));
}

const imaFactsOf = (event: LogEvent, index: number) => ({ ...factsOf(event, index), faithful: isImaFaithful(event) });

function factsOf(event: LogEvent, index: number) {
  const { pcr, type, digests, data } = event;
  return {
    index,
    pcr,
    type: eventTypeName(type),
    measured: isMeasured(event),
    step: stepOf(event),
    description: describeEvent(event),
    digests: Object.fromEntries(digests.map(({ hash, digest }) => [bankName(hash), toHex(digest)])),
    data: toHex(data),
  };
}
