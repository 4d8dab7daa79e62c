import assert from "node:assert/strict";
import { concat, encode } from "../../../shared/bytes/index.ts";
import { EemPacket, EemReceiver } from "../../../shared/eem/index.ts";
import { hex } from "../decoder.ts";
import { receiver } from "./receiver.ts";

const NO_BYTES = new Uint8Array(0);
const packet: EemPacket = { kind: "data", crc: "real", frame: new Uint8Array(60).fill(5) };
const good = encode(EemPacket, packet);
const seeds = [good, concat(good, good), encode(EemPacket, { kind: "echo", data: hex("0102") })];
/** The longest packet that garbage can announce, an echo, swallows 2047 bytes. */
const TRANSFERS = 40;

/** A stream of transfers; the packet of a later one is found. */
const eemReceiver = (name: string, options: ConstructorParameters<typeof EemReceiver>[0]) =>
  receiver(name, seeds, () => {
    const it = new EemReceiver(options);
    return {
      take: (input) => [...it.feed(input)].length > 0,
      end() {
        it.feed(NO_BYTES);
        const transfers = new Array<Uint8Array>(TRANSFERS).fill(good);
        const heard = transfers.flatMap((transfer) => [...it.feed(transfer), ...it.feed(NO_BYTES)]);
        assert.deepEqual(heard.at(-1), packet);
      },
    };
  });

export const eemReceivers = [
  eemReceiver("EEM receiver", {}),
  eemReceiver("EEM receiver of USB packets", { usbPacketBytes: 64 }),
];
