/** USB/IP, both directions. */
import * as usbip from "../../../hw/usb-device/usbip/index.ts";
import { concat, utf8 } from "../../../shared/bytes/index.ts";
import { type Decoder, hex, ofCodec, ofFunction } from "../decoder.ts";

const padded = (text: string, size: number) => concat(utf8(text), new Uint8Array(size - text.length));
const DEVICE = concat(
  padded("/sys/devices/usb1/1-1", 256),
  padded("1-1", 32),
  hex("00000001 00000002 00000002 1234 4321 0100 00 00 00 01 01 01"),
);
const LIST = concat(hex("0111 0005 00000000 00000002"), DEVICE, hex("02 0c 07 00"), DEVICE, hex("ff 00 00 00"));
const IMPORTED = concat(hex("0111 0003 00000000"), DEVICE);

export const usbipDecoders: readonly Decoder[] = [
  ofCodec("USB/IP device", usbip.UsbipDevice, [DEVICE]),
  ofCodec("USB/IP op header", usbip.OpHeader, [hex("0111 8005 00000000"), hex("0111 0003 00000004")]),
  ofCodec("USB/IP op request", usbip.OpRequest, [
    hex("0111 8005 00000000"),
    concat(hex("0111 8003 00000000"), padded("1-1", 32)),
  ]),
  ofCodec("USB/IP list", usbip.OpRepDevlist, [LIST, hex("0111 0005 00000000 00000000"), hex("0111 0005 00000001")]),
  ofCodec("USB/IP import", usbip.OpRepImport, [IMPORTED, hex("0111 0003 00000002")]),
  ofFunction("USB/IP reply size", usbip.opReplyBytes, [LIST, IMPORTED], {
    prefix: "says how many bytes are needed at least",
    trailing: "what follows belongs to the next",
  }),
  ofCodec(
    "USB/IP transfer request",
    usbip.UrbRequest,
    [
      "00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 00000004 0000000000000000",
      "00000001 00000001 00010002 00000001 00000000 00000200 00000040 00000000 ffffffff 00000000 8006000100004000",
      `00000002 00000006 00010002 00000000 00000000 00000005 ${"00".repeat(24)}`,
    ].map(hex),
  ),
  ofCodec(
    "USB/IP transfer answer",
    usbip.UrbAnswer,
    [
      "00000003 00000d06 00000000 00000000 00000000 00000000 00000040 ffffffff 00000000 00000000 0000000000000000",
      "00000003 00000005 00000000 00000000 00000000 ffffffe0 00000000 00000000 ffffffff 00000000 0000000000000000",
      `00000004 00000006 00000000 00000000 00000000 ffffff98 ${"00".repeat(24)}`,
    ].map(hex),
  ),
];
