/** Messages of the USB Network Redirection Protocol 0.7 (usbredirproto.h), without the types that are left out. */
import { type Codec, encode, inField, mapped, Reader, u32le, u64le } from "../../../shared/bytes/index.ts";
import {
  type Bodies,
  bodyCodecs,
  type Features,
  MAX_TRANSFER_BYTES,
  type RedirSender,
  type RedirType,
} from "./bodies.ts";

/**
 * A message: `id` is the guest's, and comes back in the answer. The types that are missing need capabilities that we do not
 * announce (filters, streams, buffered bulk), or endpoints that the stick has not (isochronous, interrupt).
 */
export type RedirMessage = {
  readonly [T in RedirType]: { readonly type: T; readonly id: bigint; readonly body: Bodies[T] };
}[RedirType];

interface TypeRow {
  readonly type: RedirType;
  readonly number: number;
  readonly from: RedirSender | "both";
}

const TYPES: readonly TypeRow[] = [
  { type: "hello", number: 0, from: "both" },
  { type: "deviceConnect", number: 1, from: "device" },
  { type: "deviceDisconnect", number: 2, from: "device" },
  { type: "reset", number: 3, from: "guest" },
  { type: "interfaceInfo", number: 4, from: "device" },
  { type: "epInfo", number: 5, from: "device" },
  { type: "setConfiguration", number: 6, from: "guest" },
  { type: "getConfiguration", number: 7, from: "guest" },
  { type: "configurationStatus", number: 8, from: "device" },
  { type: "setAltSetting", number: 9, from: "guest" },
  { type: "getAltSetting", number: 10, from: "guest" },
  { type: "altSettingStatus", number: 11, from: "device" },
  { type: "cancelDataPacket", number: 21, from: "guest" },
  { type: "deviceDisconnectAck", number: 24, from: "guest" },
  { type: "controlPacket", number: 100, from: "both" },
  { type: "bulkPacket", number: 101, from: "both" },
];

const Id32: Codec<bigint> = mapped(u32le, BigInt, Number);
const BULK_HEADER_BYTES = 10;
const MAX_BODY_BYTES = BULK_HEADER_BYTES + MAX_TRANSFER_BYTES;

function rowOf(from: Reader, number: number, sender: RedirSender): TypeRow {
  const row = TYPES.find((one) => one.number === number);
  if (row === undefined) return from.fail(`message type ${number} is not known`);
  if (row.from !== "both" && row.from !== sender) return from.fail(`${row.type} is not the ${sender}'s to send`);
  return row;
}

interface Header extends TypeRow {
  readonly length: number;
  readonly id: bigint;
}

function readHeader(from: Reader, features: Features, sender: RedirSender): Header {
  const row = inField("type", () => rowOf(from, u32le.read(from), sender));
  const length = inField("length", () => {
    const size = u32le.read(from);
    return size <= MAX_BODY_BYTES ? size : from.fail(`${size} bytes where ${MAX_BODY_BYTES} are the most`);
  });
  const id = inField("id", () => (features.ids64 ? u64le : Id32).read(from));
  return { ...row, length, id };
}

/** Bytes of a message's header; a hello has no features. */
export const headerBytes = (features: Features): number => (features.ids64 ? 16 : 12);

/** How long the message is that begins with this header. CodecError when its sender may not send such a one. */
export function redirMessageBytes(header: Uint8Array, features: Features, sender: RedirSender): number {
  const { length } = inField("usbredir", () => readHeader(new Reader(header), features, sender));
  return headerBytes(features) + length;
}

/** All messages that `sender` may send. */
export function redirMessage(features: Features, sender: RedirSender): Codec<RedirMessage> {
  const bodies = bodyCodecs(features, sender);
  return {
    read: (from) =>
      inField("usbredir", () => {
        const { type, length, id } = readHeader(from, features, sender);
        return inField(type, () => {
          const inside = from.within(length);
          const body = bodies[type].read(inside);
          inside.end();
          return { type, id, body } as RedirMessage;
        });
      }),
    write(to, { type, id, body }) {
      const row = TYPES.find((one) => one.type === type);
      if (row === undefined) throw new RangeError(`${type} has no number`);
      const codec: Codec<unknown> = bodies[type];
      const bytes = encode(codec, body);
      to.u32le(row.number).u32le(bytes.byteLength);
      (features.ids64 ? u64le : Id32).write(to, id);
      to.bytes(bytes);
    },
  };
}
