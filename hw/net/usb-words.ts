import { DescriptorType, Feature, Recipient, Request, RequestType, type SetupPacket } from "../../shared/usb/index.ts";

/** Control transfers in words, by the names of USB 2.0, chapter 9. */

const nameIn = (names: Readonly<Record<string, number>>, value: number): string | undefined =>
  Object.entries(names).find(([, number]) => number === value)?.[0];

const inCapitals = (name: string): string => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, "0")}`;

/** What the request's wValue and wIndex say. */
function detailOf({ bmRequestType, bRequest, wValue, wIndex }: SetupPacket): string {
  const recipient = bmRequestType & RequestType.RecipientMask;
  const place = recipient === Recipient.Endpoint ? hex(wIndex, 2) : String(wIndex);
  const where = recipient === Recipient.Device ? "" : `${nameIn(Recipient, recipient)?.toLowerCase() ?? "?"} ${place}`;
  switch (bRequest) {
    case Request.GetDescriptor: {
      const kind = inCapitals(nameIn(DescriptorType, wValue >> 8) ?? hex(wValue >> 8, 2)).toLowerCase();
      return kind === "string" ? `string ${wValue & 0xff}` : kind;
    }
    case Request.ClearFeature:
    case Request.SetFeature:
      return [inCapitals(nameIn(Feature, wValue) ?? hex(wValue, 4)), where].filter((part) => part !== "").join(", ");
    case Request.SetInterface:
      return `interface ${wIndex}, setting ${wValue}`;
    case Request.SetAddress:
    case Request.SetConfiguration:
      return String(wValue);
    default:
      return where;
  }
}

function requestOf(setup: SetupPacket): string {
  const { bmRequestType, bRequest, wValue, wIndex } = setup;
  const isStandard = (bmRequestType & RequestType.TypeMask) === RequestType.Standard;
  const name = isStandard ? nameIn(Request, bRequest) : undefined;
  if (name !== undefined) return `${inCapitals(name)}(${detailOf(setup)})`;
  const numbers = [hex(bmRequestType, 2), hex(bRequest, 2), hex(wValue, 4), hex(wIndex, 4)];
  return `request ${numbers.join(" ")}`;
}

/** As "USB control: GET_DESCRIPTOR(device), wLength 64: 18 bytes". */
export function sayControl(setup: SetupPacket, answer: Uint8Array | "stall"): string {
  const isIn = (setup.bmRequestType & RequestType.In) !== 0;
  const wanted = setup.wLength === 0 ? "" : `, wLength ${setup.wLength}`;
  const got = answer === "stall" ? "stall" : isIn ? `${answer.byteLength} bytes` : "done";
  return `USB control: ${requestOf(setup)}${wanted}: ${got}`;
}

/** As "USB bulk OUT 0x01: 66 bytes". */
export function sayBulk(direction: "IN" | "OUT", endpoint: number, size: number | "stall"): string {
  return `USB bulk ${direction} ${hex(endpoint, 2)}: ${size === "stall" ? size : `${size} bytes`}`;
}
