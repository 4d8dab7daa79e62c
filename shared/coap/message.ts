import { type Codec, CodecError, decode, type Reader, Writer } from "../bytes/index.ts";
import { Code, codeClass } from "./code.ts";
import type { CoapOption } from "./option.ts";
import type { Slab } from "./slab.ts";

/** RFC 7252, section 3. */
export const MessageType = { Con: 0, Non: 1, Ack: 2, Rst: 3 } as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

const TYPES: readonly MessageType[] = [MessageType.Con, MessageType.Non, MessageType.Ack, MessageType.Rst];
const VERSION = 1;
const HEADER_BYTES = 4;
const MAX_TOKEN_BYTES = 8;
const MAX_OPTION_NUMBER = 0xffff;
const PAYLOAD_MARKER = 0xff;
const EXTENDED_8 = 13;
const EXTENDED_16 = 14;
const EXTENDED_8_BASE = 13;
const EXTENDED_16_BASE = 269;

export interface CoapMessage {
  readonly type: MessageType;
  /** See `Code`; a byte, class and detail. */
  readonly code: number;
  readonly messageId: number;
  /** At most 8 bytes. The standard's *token*. */
  readonly coapToken: Uint8Array;
  /** Decoded: ascending by number. For encoding any order; those of one number keep theirs. */
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export const NO_BYTES: Uint8Array = new Uint8Array(0);
export const NO_OPTIONS: readonly CoapOption[] = [];

/** RFC 7252, section 3. What reads is a view of the input, not a copy. */
export const Message: Codec<CoapMessage> = { read: readMessage, write: writeMessage };

/** CodecError on every message format error, reserved code classes (section 4.2) included. */
export function decodeMessage(datagram: Uint8Array): CoapMessage {
  return decode(Message, datagram, "message");
}

/** In an array of its own, or in one of `slab`. */
export function encodeMessage(message: CoapMessage, slab?: Slab): Uint8Array {
  const sizeBytes = sizeOf(message);
  const writer = new Writer(slab === undefined ? new Uint8Array(sizeBytes) : slab.take(sizeBytes));
  writeMessage(writer, message);
  return writer.finish();
}

/** An Empty message: RFC 7252, section 4.1. */
export function emptyMessage(type: MessageType, messageId: number): CoapMessage {
  return { type, code: Code.Empty, messageId, coapToken: NO_BYTES, options: NO_OPTIONS, payload: NO_BYTES };
}

function readMessage(r: Reader): CoapMessage {
  const first = r.u8();
  if (first >> 6 !== VERSION) r.fail(`version ${first >> 6}`);
  const type = TYPES[(first >> 4) & 0x03] ?? MessageType.Con;
  const tokenBytes = first & 0x0f;
  if (tokenBytes > MAX_TOKEN_BYTES) r.fail(`token length ${tokenBytes}`);
  const code = r.u8();
  const kind = codeClass(code);
  if (kind === 1 || kind > 5) r.fail(`code class ${kind} is reserved`);
  const messageId = r.u16be();
  if (code === Code.Empty && (tokenBytes > 0 || r.remaining > 0)) r.fail("bytes behind an Empty message");
  const coapToken = tokenBytes === 0 ? NO_BYTES : r.bytes(tokenBytes);
  const options: CoapOption[] = [];
  const payload = readOptions(r, options) ? readPayload(r) : NO_BYTES;
  return { type, code, messageId, coapToken, options, payload };
}

/** Section 3.1. True when a payload marker ended the options. */
function readOptions(r: Reader, into: CoapOption[]): boolean {
  let number = 0;
  try {
    while (r.remaining > 0) {
      const head = r.u8();
      if (head === PAYLOAD_MARKER) return true;
      number += readExtended(r, head >> 4, "delta");
      if (number > MAX_OPTION_NUMBER) r.fail(`option number ${number}`);
      into.push({ number, value: r.bytes(readExtended(r, head & 0x0f, "length")) });
    }
  } catch (error) {
    throw error instanceof CodecError ? error.within(`options[${into.length}]`) : error;
  }
  return false;
}

function readExtended(r: Reader, nibble: number, what: string): number {
  if (nibble < EXTENDED_8) return nibble;
  if (nibble === EXTENDED_8) return r.u8() + EXTENDED_8_BASE;
  if (nibble === EXTENDED_16) return r.u16be() + EXTENDED_16_BASE;
  return r.fail(`option ${what} 15 is reserved`);
}

function readPayload(r: Reader): Uint8Array {
  if (r.remaining === 0) r.fail("a payload marker with no payload");
  return r.rest();
}

function writeMessage(w: Writer, message: CoapMessage): void {
  const tokenBytes = message.coapToken.byteLength;
  if (tokenBytes > MAX_TOKEN_BYTES) throw new RangeError(`${tokenBytes} bytes of token`);
  w.u8((VERSION << 6) | (message.type << 4) | tokenBytes);
  w.u8(message.code);
  w.u16be(message.messageId);
  w.bytes(message.coapToken);
  let last = 0;
  for (const option of inOrder(message.options)) {
    writeOption(w, option.number - last, option.value);
    last = option.number;
  }
  if (message.payload.byteLength > 0) w.u8(PAYLOAD_MARKER).bytes(message.payload);
}

/** What writeMessage will write, in bytes. */
function sizeOf({ coapToken, options, payload }: CoapMessage): number {
  let size = HEADER_BYTES + coapToken.byteLength;
  let last = 0;
  for (const { number, value } of inOrder(options)) {
    size += 1 + extendedBytes(number - last) + extendedBytes(value.byteLength) + value.byteLength;
    last = number;
  }
  return payload.byteLength > 0 ? size + 1 + payload.byteLength : size;
}

function inOrder(options: readonly CoapOption[]): readonly CoapOption[] {
  let last = 0;
  for (const option of options) {
    if (option.number < last) return options.toSorted((a, b) => a.number - b.number);
    last = option.number;
  }
  return options;
}

function writeOption(w: Writer, delta: number, value: Uint8Array): void {
  const length = value.byteLength;
  w.u8((nibbleOf(delta) << 4) | nibbleOf(length));
  writeExtended(w, delta);
  writeExtended(w, length);
  w.bytes(value);
}

function nibbleOf(value: number): number {
  return value < EXTENDED_8_BASE ? value : value < EXTENDED_16_BASE ? EXTENDED_8 : EXTENDED_16;
}

function extendedBytes(value: number): number {
  return value < EXTENDED_8_BASE ? 0 : value < EXTENDED_16_BASE ? 1 : 2;
}

function writeExtended(w: Writer, value: number): void {
  if (value >= EXTENDED_16_BASE) w.u16be(value - EXTENDED_16_BASE);
  else if (value >= EXTENDED_8_BASE) w.u8(value - EXTENDED_8_BASE);
}
