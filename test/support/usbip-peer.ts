import assert from "node:assert/strict";
import {
  type ListedDevice,
  NO_PACKETS,
  OpCode,
  OpRequest,
  type SubmitRequest,
  URB_HEADER_BYTES,
  UrbAnswer,
  UrbRequest,
  VERSION,
} from "../../hw/usb-device/usbip/index.ts";
import { ByteQueue, concat, decode, encode } from "../../shared/bytes/index.ts";
import type { SetupPacket } from "../../shared/usb/index.ts";

const NO_SETUP: SetupPacket = { bmRequestType: 0, bRequest: 0, wValue: 0, wIndex: 0, wLength: 0 };

/** A stick as a server lists it. */
export const USBIP_LISTED: ListedDevice = {
  device: {
    path: "/sys/devices/usb1/1-1",
    busid: "1-1",
    busnum: 1,
    devnum: 2,
    speed: 2,
    idVendor: 0x1234,
    idProduct: 0x4321,
    bcdDevice: 0x0100,
    bDeviceClass: 0,
    bDeviceSubClass: 0,
    bDeviceProtocol: 0,
    bConfigurationValue: 1,
    bNumConfigurations: 1,
    bNumInterfaces: 1,
  },
  interfaces: [{ bInterfaceClass: 2, bInterfaceSubClass: 12, bInterfaceProtocol: 7, padding: 0 }],
};

/** What an importer writes, in bytes. */
export const usbipBytes = {
  devlist: () => encode(OpRequest, { version: VERSION, request: { code: OpCode.ReqDevlist, status: 0 } }),
  import: (busid: string) =>
    encode(OpRequest, { version: VERSION, request: { code: OpCode.ReqImport, status: 0, busid } }),
  submit(seqnum: number, more: Partial<SubmitRequest>, data: Uint8Array = new Uint8Array(0)): Uint8Array {
    const header = {
      command: 1,
      seqnum,
      devid: 0x0001_0002,
      direction: 0,
      ep: 0,
      transferFlags: 0,
      transferBufferLength: data.byteLength,
      startFrame: 0,
      numberOfPackets: NO_PACKETS,
      interval: 0,
      setup: NO_SETUP,
      ...more,
    } as const;
    return concat(encode(UrbRequest, header), data);
  },
  control: (seqnum: number, setup: SetupPacket, out?: Uint8Array) =>
    usbipBytes.submit(
      seqnum,
      (setup.bmRequestType & 0x80) !== 0 ? { setup, direction: 1, transferBufferLength: setup.wLength } : { setup },
      out,
    ),
  unlink: (seqnum: number, unlinkSeqnum: number) =>
    encode(UrbRequest, {
      command: 2,
      seqnum,
      devid: 0x0001_0002,
      direction: 0,
      ep: 0,
      unlinkSeqnum,
      padding: new Uint8Array(24),
    }),
};

export interface Answered {
  readonly seqnum: number;
  readonly status: number;
  readonly data: Uint8Array | undefined;
}

/** Reads the answers to transfers; who asked for data inward is told by sequence number. */
export function readAnswers(bytes: Uint8Array, inward: ReadonlySet<number>): Answered[] {
  const queue = new ByteQueue();
  queue.push(bytes);
  const answers: Answered[] = [];
  for (let header = queue.take(URB_HEADER_BYTES); header !== undefined; header = queue.take(URB_HEADER_BYTES)) {
    const answer = decode(UrbAnswer, header);
    const { seqnum, status } = answer;
    if (answer.command === 4) {
      answers.push({ seqnum, status, data: undefined });
      continue;
    }
    const data = queue.take(inward.has(seqnum) ? answer.actualLength : 0);
    answers.push({ seqnum, status, data: data ?? assert.fail("an answer that is not whole") });
  }
  assert.equal(queue.size, 0);
  return answers;
}
