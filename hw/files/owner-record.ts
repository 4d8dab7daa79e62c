import { existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import * as v from "valibot";
import { CodecError, fromHex, toHex } from "../../shared/bytes/index.ts";
import { parseCertificate } from "../../shared/x509/index.ts";
import { removeUnfinished, replaceFile } from "./atomic.ts";
import { locked } from "./lock.ts";
import { FileError, readTextFile } from "./text.ts";

const PRIVATE = 0o600;
const MAX_ENTRIES = 10_000;
const MAX_FILE_BYTES = 64 << 20;

const hex = v.pipe(
  v.string(),
  v.check((text) => fromHex(text) !== undefined, "is not hexadecimal"),
);

/** The first and the last instant that a Date holds. */
const MAX_TIME_MS = 8.64e15;
const time = v.pipe(v.number(), v.integer(), v.minValue(-MAX_TIME_MS), v.maxValue(MAX_TIME_MS));
/** What ends later never ends. */
const end = v.pipe(v.number(), v.integer(), v.minValue(-MAX_TIME_MS));

const certificate = v.pipe(hex, v.check(isCertificate, "holds what is no certificate"));

const Entry = v.strictObject({
  serial: hex,
  deviceId: v.string(),
  subject: v.string(),
  notBefore: time,
  notAfter: end,
  certificate,
  /** Not written by the first programs, which refuse a file that has it: they would hand out what is revoked. */
  revoked: v.optional(v.strictObject({ at: time, reason: v.string() })),
});
type Entry = v.InferOutput<typeof Entry>;

const RecordFile = v.strictObject({
  version: v.literal(1),
  issued: v.pipe(v.array(Entry), v.maxLength(MAX_ENTRIES)),
});

/** When, in milliseconds since 1970, and why. */
interface Revocation {
  readonly at: number;
  readonly reason: string;
}

/** One issued certificate; times in milliseconds since 1970, the certificate in DER. */
interface RecordedCertificate {
  readonly serial: string;
  readonly deviceId: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly certificate: Uint8Array;
  readonly revoked?: Revocation | undefined;
}

/** An owner's record of issued certificates in one JSON file. */
interface RecordOnDisk {
  list(): readonly RecordedCertificate[];
  add(issued: RecordedCertificate): void;
  /** Marks the certificates of these serials. */
  revoke(serials: readonly string[], revocation: Revocation): void;
}

function isCertificate(text: string): boolean {
  try {
    parseCertificate(fromHex(text) ?? new Uint8Array(0));
    return true;
  } catch (error) {
    if (error instanceof CodecError) return false;
    throw error;
  }
}

function parsed(path: string, text: string): readonly Entry[] {
  try {
    return v.parse(RecordFile, JSON.parse(text)).issued;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${path} is not a record of issued certificates: ${why}`, { cause: error });
  }
}

/**
 * Where the file itself is: a link would be replaced by a file of its own, and its lock is another than that of what it names. A link to
 * nothing is refused.
 */
function targetOf(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (isLink) throw new FileError(`${path} is a link to what is not there`);
  return path;
}

/** Changes when the file is replaced; undefined while there is none. */
function stampOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}

function read(path: string): readonly RecordedCertificate[] {
  const stored = existsSync(path) ? parsed(path, readTextFile(path, MAX_FILE_BYTES)) : [];
  return stored.map((entry) => ({ ...entry, certificate: fromHex(entry.certificate) ?? new Uint8Array(0) }));
}

function write(path: string, entries: readonly RecordedCertificate[]): void {
  const issued = entries.map((entry) => ({ ...entry, certificate: toHex(entry.certificate) }));
  try {
    removeUnfinished(path);
    replaceFile(path, `${JSON.stringify({ version: 1, issued }, undefined, 2)}\n`, PRIVATE);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${path} cannot be written: ${why}`, { cause: error });
  }
}

/**
 * Opens the record at `named`, or the one that a link there names; a missing file is an empty record. A change returns when it is on
 * the disk: the file is replaced whole, so that a crash leaves it as before or as after. Programs that run at the same time see each
 * other's changes. Throws FileError for a file that is none, is full, or cannot be written.
 */
export function openOwnerRecord(named: string): RecordOnDisk {
  const path = targetOf(named);
  let stamp = stampOf(path);
  let entries = read(path);

  function fresh(): readonly RecordedCertificate[] {
    const now = stampOf(path);
    if (now !== stamp) {
      entries = read(path);
      stamp = now;
    }
    return entries;
  }

  function change(changed: (entries: readonly RecordedCertificate[]) => readonly RecordedCertificate[]): void {
    locked(path, () => {
      const next = changed(fresh());
      write(path, next);
      entries = next;
      stamp = stampOf(path);
    });
  }

  return {
    list: fresh,
    add(issued) {
      change((all) => {
        if (all.length >= MAX_ENTRIES) throw new FileError(`${path} holds ${MAX_ENTRIES} certificates and is full`);
        return [...all, issued];
      });
    },
    revoke(serials, revoked) {
      change((all) => all.map((entry) => (serials.includes(entry.serial) ? { ...entry, revoked } : entry)));
    },
  };
}
