import { utf8 } from "../../shared/bytes/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import {
  CLOSED_MARK_AT,
  encodeRecord,
  OPENED_MARK_AT,
  PAGE_HEADER_BYTES,
  pageHeader,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  SEALED_RECORD_HEADER_BYTES,
  SET_MARK,
} from "../../token/storage/format.ts";

export interface LaidRecord
  extends Pick<RecordHeader, "kind" | "version">,
    Partial<Pick<RecordHeader, "total" | "offset">> {
  readonly key?: string;
  readonly data?: Uint8Array;
  readonly marked: boolean;
}

/** Writes a log of format 2 into an erased flash, from page 0 and sequence `first` on, whatever sense its records make. */
export function layLog(flash: Flash, pages: readonly (readonly LaidRecord[])[], first = 1): void {
  for (const [page, records] of pages.entries()) {
    const base = page * flash.geometry.pageBytes;
    flash.program(base, pageHeader({ sequence: first + page, previous: first + page - 1, first }));
    flash.program(base + OPENED_MARK_AT, SET_MARK);
    if (page < pages.length - 1) flash.program(base + CLOSED_MARK_AT, SET_MARK);
    let at = base + PAGE_HEADER_BYTES;
    for (const { key = "", data = new Uint8Array(), marked, ...header } of records) {
      const record = encodeRecord(header, utf8(key), data);
      flash.program(at, record.header);
      flash.program(at + RECORD_HEADER_BYTES, record.body);
      if (marked) flash.program(at + SEALED_RECORD_HEADER_BYTES, SET_MARK);
      at += record.size;
    }
  }
}
