import { type Codec, inField, type Reader, type Writer } from "../bytes/index.ts";
import { crc32 } from "./crc32.ts";

/** bmEEMCmd (CDC-EEM 1.0, 5.1.2). 6 and 7 are reserved. */
export const EemCommand = {
  Echo: 0,
  EchoResponse: 1,
  SuspendHint: 2,
  ResponseHint: 3,
  ResponseCompleteHint: 4,
  Tickle: 5,
} as const;

/**
 * `real`: a CRC-32 over the frame, bmCRC 1. `sentinel`: the bytes de ad be ef in its place, bmCRC 0. Linux sends the first
 * and takes both; the reference stick sends the second.
 */
export type EemCrc = "real" | "sentinel";

/** CDC-EEM 1.0, 5.1. */
export type EemPacket =
  | { readonly kind: "data"; readonly crc: EemCrc; readonly frame: Uint8Array }
  | { readonly kind: "echo" | "echo-response"; readonly data: Uint8Array }
  /** The hints, Tickle, and the reserved commands, which are ignored. None has data. */
  | { readonly kind: "command"; readonly command: number; readonly parameter: number }
  /** Header 0x0000: padding. */
  | { readonly kind: "zero-length" };

const EEM_HEADER_BYTES = 2;
const CRC_BYTES = 4;
const SENTINEL = 0xdead_beef;
/** A full Ethernet frame with a VLAN tag. Longer ones cannot have come from an Ethernet interface of MTU 1500. */
const MAX_EEM_FRAME_BYTES = 1_518;

const COMMAND = 0x8000;
const BM_CRC = 0x4000;
const LENGTH = 0x3fff;
const RESERVED = 0x4000;
const COMMAND_SHIFT = 11;
const PARAMETER = 0x07ff;

/** The problem that a CodecError names when the packet is whole and only its CRC is wrong. */
export const WRONG_CRC = "wrong CRC";

/** How many bytes of the packet follow its header; CodecError when the header cannot be one. */
function readHeader(from: Reader): { readonly header: number; readonly bodyBytes: number } {
  const header = from.u16le();
  if ((header & COMMAND) === 0) {
    const length = header & LENGTH;
    const tooShort = header !== 0 && length < CRC_BYTES;
    if (tooShort || length > MAX_EEM_FRAME_BYTES + CRC_BYTES) inField("length", () => from.fail(`${length}`));
    return { header, bodyBytes: length };
  }
  if ((header & RESERVED) !== 0) inField("command", () => from.fail("reserved bit set"));
  return { header, bodyBytes: commandOf(header) <= EemCommand.EchoResponse ? header & PARAMETER : 0 };
}

const commandOf = (header: number) => (header >> COMMAND_SHIFT) & 7;

function readData(from: Reader, header: number, bodyBytes: number): EemPacket {
  const frame = from.bytes(bodyBytes - CRC_BYTES);
  const crc: EemCrc = (header & BM_CRC) === 0 ? "sentinel" : "real";
  const right = crc === "real" ? from.u32le() === crc32(frame) : from.u32be() === SENTINEL;
  if (!right) inField("crc", () => from.fail(WRONG_CRC));
  return { kind: "data", crc, frame };
}

function readPacket(from: Reader): EemPacket {
  const { header, bodyBytes } = readHeader(from);
  if (header === 0) return { kind: "zero-length" };
  if ((header & COMMAND) === 0) return readData(from, header, bodyBytes);
  const command = commandOf(header);
  if (command === EemCommand.Echo) return { kind: "echo", data: from.bytes(bodyBytes) };
  if (command === EemCommand.EchoResponse) return { kind: "echo-response", data: from.bytes(bodyBytes) };
  return { kind: "command", command, parameter: header & PARAMETER };
}

function writeCommand(to: Writer, command: number, parameter: number): void {
  if (command > 7 || parameter > PARAMETER) throw new RangeError(`EEM command ${command} with parameter ${parameter}`);
  to.u16le(COMMAND | (command << COMMAND_SHIFT) | parameter);
}

function writeData(to: Writer, frame: Uint8Array, crc: EemCrc): void {
  if (frame.byteLength > MAX_EEM_FRAME_BYTES) throw new RangeError(`a frame of ${frame.byteLength} bytes`);
  to.u16le((crc === "real" ? BM_CRC : 0) | (frame.byteLength + CRC_BYTES)).bytes(frame);
  if (crc === "real") to.u32le(crc32(frame));
  else to.u32be(SENTINEL);
}

function writePacket(to: Writer, packet: EemPacket): void {
  if (packet.kind === "data") {
    writeData(to, packet.frame, packet.crc);
  } else if (packet.kind === "zero-length") {
    to.u16le(0);
  } else if (packet.kind === "command") {
    if (packet.command <= EemCommand.EchoResponse) throw new RangeError("an echo is a kind of its own");
    writeCommand(to, packet.command, packet.parameter);
  } else {
    writeCommand(to, packet.kind === "echo" ? EemCommand.Echo : EemCommand.EchoResponse, packet.data.byteLength);
    to.bytes(packet.data);
  }
}

export const EemPacket: Codec<EemPacket> = {
  read: (from) => inField("EEM", () => readPacket(from)),
  write: writePacket,
};

/**
 * The size of the packet that begins at the cursor, header included; undefined while the header is not whole. CodecError when
 * the header cannot be one.
 */
export function packetBytes(from: Reader): number | undefined {
  if (from.remaining < EEM_HEADER_BYTES) return undefined;
  return inField("EEM", () => EEM_HEADER_BYTES + readHeader(from).bodyBytes);
}
