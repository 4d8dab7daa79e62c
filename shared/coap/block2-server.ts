import { utf8 } from "../bytes/index.ts";
import { type Block, blockBytes, blockOption, blockStart, sliceBlock } from "./block-option.ts";
import { Code } from "./code.ts";
import { type CoapOption, OptionNumber, optionValue, uintOption } from "./option.ts";
import type { CoapLimits } from "./parameters.ts";
import { makeRoom, type PeerRecord } from "./peers.ts";

/** A response ready to be sent, whole or a block of one. */
export interface ServerResponse {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
  /** See CoapReply. */
  readonly revocable?: boolean | undefined;
}

interface Download {
  readonly peer: PeerRecord;
  readonly response: ServerResponse;
  touchedAt: number;
  isRead: boolean;
}

/**
 * Responses that did not fit in one block: RFC 7959, section 2.4. Later blocks are of the same response, in whatever order and however often they
 * are asked for: the handler runs once, for the first block. One that was read to its end stays as long as nobody needs its room.
 */
export class DownloadTable {
  readonly #downloads = new Map<string, Download>(); // idle longest first
  readonly #limits: CoapLimits;

  constructor(limits: CoapLimits) {
    this.#limits = limits;
  }

  /** Unless peers of a higher standing have all the room. */
  keep(peer: PeerRecord, key: string, response: ServerResponse, now: number): void {
    const { downloads: most, downloadsOfPeer: mostOfPeer, transferLifetimeMs: lifetimeMs } = this.#limits;
    this.#downloads.delete(key);
    if (!makeRoom(this.#downloads, peer, { most, mostOfPeer, lifetimeMs }, now)) return;
    this.#downloads.set(key, { peer, response, touchedAt: now, isRead: false });
  }

  /** The response that `key` is a later block of; undefined when it was dropped or never there. */
  find(key: string, now: number): ServerResponse | undefined {
    const download = this.#downloads.get(key);
    if (download === undefined) return undefined;
    this.#downloads.delete(key);
    if (now - download.touchedAt > this.#limits.transferLifetimeMs) return undefined;
    download.touchedAt = now;
    this.#downloads.set(key, download);
    return download.response;
  }

  get size(): number {
    return this.#downloads.size;
  }

  /** Its last block went out. */
  readToEnd(key: string): void {
    const download = this.#downloads.get(key);
    if (download !== undefined) download.isRead = true;
  }

  forget(peer: PeerRecord): void {
    for (const [key, download] of this.#downloads) if (download.peer === peer) this.#downloads.delete(key);
  }
}

/** The block of `response` that `asked` wants, in blocks of at most `maxExponent`; undefined when it begins behind the end. */
export function blockOf(
  response: ServerResponse,
  asked: Block | undefined,
  maxExponent: number,
  tellSize: boolean,
): { response: ServerResponse; more: boolean } | undefined {
  const start = asked === undefined ? 0 : blockStart(asked);
  if (start > 0 && start >= response.payload.byteLength) return undefined;
  const { block, payload } = sliceBlock(response.payload, start, Math.min(asked?.exponent ?? maxExponent, maxExponent));
  const options = [...response.options, blockOption(OptionNumber.Block2, block)];
  if (tellSize) options.push(uintOption(OptionNumber.Size2, response.payload.byteLength));
  return { response: { ...response, options, payload }, more: block.more };
}

export function fitsInOneBlock(payload: Uint8Array, asked: Block | undefined, maxExponent: number): boolean {
  const start = asked?.number ?? 0;
  return start === 0 && payload.byteLength <= blockBytes(Math.min(asked?.exponent ?? maxExponent, maxExponent));
}

/** With an ETag a client can tell that all its blocks are of one representation; only 2.05 carries a representation to tag. */
export function withETag(response: ServerResponse): ServerResponse {
  if (response.code !== Code.Content || optionValue(response.options, OptionNumber.ETag) !== undefined) return response;
  const etag = { number: OptionNumber.ETag, value: utf8(fingerprint(response.payload)) };
  return { ...response, options: [...response.options, etag] };
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bits, in base 36: tells versions apart, protects against nothing. */
function fingerprint(bytes: Uint8Array): string {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return (hash >>> 0).toString(36);
}
