import { existsSync } from "node:fs";
import * as v from "valibot";
import { fromHex, toHex } from "../../shared/bytes/index.ts";
import { replaceFile } from "./atomic.ts";
import { FileError, readTextFile } from "./text.ts";

const PRIVATE = 0o600;
const MAX_ENTRIES = 10_000;
const MAX_FILE_BYTES = 64 << 20;

const hex = v.pipe(
  v.string(),
  v.check((text) => fromHex(text) !== undefined, "is not hexadecimal"),
);

const time = v.pipe(v.number(), v.integer());

const Entry = v.strictObject({
  serial: hex,
  deviceId: v.string(),
  subject: v.string(),
  notBefore: time,
  notAfter: time,
  certificate: hex,
});

const RecordFile = v.strictObject({
  version: v.literal(1),
  issued: v.pipe(v.array(Entry), v.maxLength(MAX_ENTRIES)),
});

/** One issued certificate; times in milliseconds since 1970, the certificate in DER. */
interface RecordedCertificate {
  readonly serial: string;
  readonly deviceId: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly certificate: Uint8Array;
}

/** An owner's record of issued certificates in one JSON file. */
interface RecordOnDisk {
  list(): readonly RecordedCertificate[];
  add(issued: RecordedCertificate): void;
}

function parsed(path: string, text: string): v.InferOutput<typeof RecordFile> {
  try {
    return v.parse(RecordFile, JSON.parse(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${path} is not a record of issued certificates: ${why}`, { cause: error });
  }
}

/**
 * Opens the record at `path`; a missing file is an empty record. `add` returns when the entry is on the disk: the file is replaced
 * whole, so that a crash leaves it with the entry or without. Throws FileError for a file that is none, or full.
 */
export function openOwnerRecord(path: string): RecordOnDisk {
  const stored = existsSync(path) ? parsed(path, readTextFile(path, MAX_FILE_BYTES)).issued : [];
  const entries: RecordedCertificate[] = stored.map((entry) => ({
    ...entry,
    certificate: fromHex(entry.certificate) ?? new Uint8Array(0),
  }));
  return {
    list: () => entries,
    add(issued) {
      if (entries.length >= MAX_ENTRIES) throw new FileError(`${path} holds ${MAX_ENTRIES} certificates and is full`);
      const all = [...entries, issued].map((entry) => ({ ...entry, certificate: toHex(entry.certificate) }));
      replaceFile(path, `${JSON.stringify({ version: 1, issued: all }, undefined, 2)}\n`, PRIVATE);
      entries.push(issued);
    },
  };
}
