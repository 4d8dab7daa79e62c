import assert from "node:assert/strict";
import {
  OpCode,
  OpHeader,
  OpRepDevlist,
  OpRepImport,
  OpRequest,
  opReplyBytes,
  opRequestBytes,
  submitAnswer,
  UrbAnswer,
  UrbRequest,
  unlinkAnswer,
} from "../../../../hw/usb-device/usbip/index.ts";
import { CodecError, concat, decode, encode, toHex, utf8 } from "../../../../shared/bytes/index.ts";
import { hex } from "../../../fuzz/decoder.ts";
import { assertStrict } from "../../../support/fuzz.ts";

/** Captured from a wire: Linux, Documentation/usb/usbip_protocol.rst, EXAMPLE. The data of transfers is behind the headers. */
const LINUX = {
  CmdIntrIN:
    "00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 00000004 00000000 00000000",
  CmdIntrOUT:
    "00000001 00000d06 0001000f 00000000 00000001 00000000 00000040 ffffffff 00000000 00000004 00000000 00000000",
  RetIntrOut:
    "00000003 00000d06 00000000 00000000 00000000 00000000 00000040 ffffffff 00000000 00000000 00000000 00000000",
};

const padded = (text: string, size: number) => concat(utf8(text), new Uint8Array(size - text.length));
/** Laid out by hand after the same document. */
const DEVICE = concat(
  padded("/sys/devices/pci0000:00/0000:00:1d.1/usb3/3-2", 256),
  padded("3-2", 32),
  hex("00000003 00000007 00000002 1234 4321 0100 00 00 00 01 01 01"),
);
const INTERFACE = hex("02 0c 07 00");
const device = {
  path: "/sys/devices/pci0000:00/0000:00:1d.1/usb3/3-2",
  busid: "3-2",
  busnum: 3,
  devnum: 7,
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
} as const;

describe("USB/IP before the transfers", () => {
  it("reads and writes requests", () => {
    const list = hex("0111 8005 00000000");
    const imported = concat(hex("0111 8003 00000000"), padded("3-2", 32));
    assert.deepEqual(decode(OpRequest, list).request, { code: OpCode.ReqDevlist, status: 0 });
    assert.deepEqual(decode(OpRequest, imported).request, { code: OpCode.ReqImport, status: 0, busid: "3-2" });
    for (const bytes of [list, imported]) {
      assert.equal(toHex(encode(OpRequest, decode(OpRequest, bytes))), toHex(bytes));
      assertStrict("OP_REQ", (input) => decode(OpRequest, input), bytes);
      assert.equal(opRequestBytes(decode(OpHeader, bytes.subarray(0, 8)).code), bytes.byteLength);
    }
    assert.equal(opRequestBytes(OpCode.RepImport), undefined);
  });

  it("reads and writes replies, and knows how long they are", () => {
    const list = concat(hex("0111 0005 00000000 00000002"), DEVICE, INTERFACE, DEVICE, INTERFACE);
    const imported = concat(hex("0111 0003 00000000"), DEVICE);
    const refused = hex("0111 0003 00000002");
    const one = {
      device,
      interfaces: [{ bInterfaceClass: 2, bInterfaceSubClass: 0x0c, bInterfaceProtocol: 7, padding: 0 }],
    };
    assert.deepEqual(decode(OpRepDevlist, list).reply, { status: 0, devices: [one, one] });
    assert.deepEqual(decode(OpRepImport, imported).reply, { status: 0, device });
    assert.deepEqual(decode(OpRepImport, refused).reply, { status: 2 });
    assert.equal(toHex(encode(OpRepDevlist, decode(OpRepDevlist, list))), toHex(list));
    assert.equal(toHex(encode(OpRepImport, decode(OpRepImport, imported))), toHex(imported));
    assertStrict("OP_REP_DEVLIST", (input) => decode(OpRepDevlist, input), list);
    assertStrict("OP_REP_IMPORT", (input) => decode(OpRepImport, input), imported);
    for (const reply of [list, imported, refused]) {
      let size = 0;
      let looks = 0;
      for (let next = opReplyBytes(reply.slice(0, size)); next !== size; looks++) {
        assert.ok(next > size && next <= reply.byteLength);
        size = next;
        next = opReplyBytes(reply.slice(0, size));
      }
      assert.equal(size, reply.byteLength);
      assert.ok(looks < 8);
    }
  });

  it("refuses other versions, statuses, texts that do not end, and lists without end", () => {
    for (const bad of [
      "0106 8005 00000000",
      "0111 8005 00000001",
      "0111 8004 00000000",
      `0111 8003 00000000 ${"31".repeat(32)}`,
      `0111 8003 00000000 312d31 00 31 ${"00".repeat(27)}`,
      `0111 8003 00000000 310a ${"00".repeat(30)}`,
    ]) {
      assert.throws(() => decode(OpRequest, hex(bad)), CodecError, bad);
    }
    assert.throws(() => decode(OpRepDevlist, hex("0111 0005 00000000 ffffffff")), CodecError);
    assert.throws(() => opReplyBytes(hex("0111 0005 00000000 ffffffff")), CodecError);
    const tooLong = { code: OpCode.ReqImport, status: 0, busid: "1".repeat(32) } as const;
    assert.throws(() => encode(OpRequest, { version: 0x0111, request: tooLong }), RangeError);
  });
});

describe("USB/IP transfers", () => {
  const setup = { bmRequestType: 0, bRequest: 0, wValue: 0, wIndex: 0, wLength: 0 };

  it("reads what Linux sends, and writes it the same", () => {
    const inward = { command: 1, seqnum: 0xd05, devid: 0x1000f, direction: 1, ep: 1, transferFlags: 0x200 } as const;
    const rest = { transferBufferLength: 64, startFrame: 0xffff_ffff, numberOfPackets: 0, interval: 4, setup };
    assert.deepEqual(decode(UrbRequest, hex(LINUX.CmdIntrIN)), { ...inward, ...rest });
    const out = decode(UrbRequest, hex(LINUX.CmdIntrOUT));
    assert.deepEqual([out.seqnum, out.direction], [0xd06, 0]);
    const answer = decode(UrbAnswer, hex(LINUX.RetIntrOut));
    assert.ok(answer.command === 3);
    assert.deepEqual([answer.seqnum, answer.status, answer.actualLength], [0xd06, 0, 64]);
    for (const [codec, text] of [
      [UrbRequest, LINUX.CmdIntrIN],
      [UrbRequest, LINUX.CmdIntrOUT],
    ] as const) {
      assert.equal(toHex(encode(codec, decode(codec, hex(text)))), toHex(hex(text)));
      assertStrict("usbip_header", (input) => decode(codec, input), hex(text));
    }
    assert.equal(toHex(encode(UrbAnswer, answer)), toHex(hex(LINUX.RetIntrOut)));
    assertStrict("usbip_header", (input) => decode(UrbAnswer, input), hex(LINUX.RetIntrOut));
  });

  it("has the setup packet as on the bus", () => {
    const get = hex(
      "00000001 00000001 00010002 00000001 00000000 00000200 00000040 00000000 ffffffff 00000000 8006000100004000",
    );
    const read = decode(UrbRequest, get);
    assert.ok(read.command === 1);
    assert.deepEqual(read.setup, { bmRequestType: 0x80, bRequest: 6, wValue: 0x0100, wIndex: 0, wLength: 64 });
  });

  it("has the negative errnos of Linux as status", () => {
    const stalled =
      "00000003 00000005 00000000 00000000 00000000 ffffffe0 00000000 00000000 ffffffff 00000000 0000000000000000";
    assert.equal(toHex(encode(UrbAnswer, submitAnswer(5, -32, 0))), toHex(hex(stalled)));
    const unlinked = `00000004 00000006 00000000 00000000 00000000 ffffff98 ${"00".repeat(24)}`;
    assert.equal(toHex(encode(UrbAnswer, unlinkAnswer(6, -104))), toHex(hex(unlinked)));
    assert.deepEqual(decode(UrbAnswer, hex(unlinked)), unlinkAnswer(6, -104));
  });

  it("refuses isochronous and huge transfers, and other commands", () => {
    const change = (text: string, word: number, value: string) => {
      const words = text.split(" ");
      words[word] = value;
      return hex(words.join(" "));
    };
    for (const [word, value] of [
      [0, "00000005"],
      [0, "00000003"],
      [3, "00000002"],
      [4, "00000010"],
      [6, "00010001"],
      [6, "ffffffff"],
      [8, "00000001"],
    ] as const) {
      assert.throws(() => decode(UrbRequest, change(LINUX.CmdIntrIN, word, value)), CodecError, `${word} ${value}`);
    }
    assert.throws(() => decode(UrbAnswer, change(LINUX.RetIntrOut, 6, "80000000")), CodecError);
    assert.throws(() => decode(UrbAnswer, change(LINUX.RetIntrOut, 0, "00000001")), CodecError);
  });
});
