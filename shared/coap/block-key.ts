import type { CoapMessage } from "./message.ts";
import { type CoapOption, isNoCacheKey, OptionNumber } from "./option.ts";
import type { PeerRecord } from "./peers.ts";

/**
 * What the blocks of one body have in common: peer, method and the options of the cache key (RFC 7959, sections 2.4 and 2.5). Never the CoAP
 * token: libcoap changes it for every block.
 */
export function transferKey(peer: PeerRecord, message: CoapMessage, kind: "upload" | "download"): string {
  let key = `${kind} ${peer.id} ${message.code}`;
  for (const option of message.options) if (belongs(option, kind)) key += ` ${option.number}=${latin1(option.value)}`;
  return key;
}

/**
 * Options of the message rather than of what it asks for. Observe and ETag stand with the first request only, and belong to no cache key
 * (RFC 7641, section 2; RFC 7252, section 5.6).
 */
const APART: ReadonlySet<number> = new Set([
  OptionNumber.Block1,
  OptionNumber.Block2,
  OptionNumber.Observe,
  OptionNumber.ETag,
]);

function belongs({ number }: CoapOption, kind: "upload" | "download"): boolean {
  if (isNoCacheKey(number) || APART.has(number)) return false;
  // a request for a later block of a response has no payload, so it need not name the payload's format again
  return kind === "upload" || number !== OptionNumber.ContentFormat;
}

/** One character a byte, its length in front so that no two lists of options read alike. */
function latin1(bytes: Uint8Array): string {
  let text = `${bytes.byteLength}:`;
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
