/** What the device says to control transfers and to those requests for which the protocol has messages of their own. */
import { Recipient, Request, RequestType, type UsbDescriptors, type UsbDevice } from "../../../shared/usb/index.ts";
import { type ControlPacket, isIn, RedirStatus } from "./bodies.ts";
import type { RedirMessage } from "./codec.ts";
import { epInfoOf, interfaceInfoOf } from "./tables.ts";

export type Of<T extends RedirMessage["type"]> = Extract<RedirMessage, { readonly type: T }>;

const NO_DATA = new Uint8Array(0);

/** What stands before device_connect, and before every configuration_status and alt_setting_status that tells of a change. */
export function tables(descriptors: UsbDescriptors, configured: boolean, id = 0n): readonly RedirMessage[] {
  return [
    { type: "interfaceInfo", id, body: interfaceInfoOf(descriptors, configured) },
    { type: "epInfo", id, body: epInfoOf(descriptors, configured) },
  ];
}

export function answerControl(device: UsbDevice, { id, body }: Of<"controlPacket">): RedirMessage {
  const { requestType: bmRequestType, request: bRequest, value: wValue, index: wIndex, length: wLength } = body;
  const answer = device.control({ bmRequestType, bRequest, wValue, wIndex, wLength }, body.data);
  return { type: "controlPacket", id, body: { ...body, ...outcomeOf(answer, body) } };
}

function outcomeOf(
  answer: Uint8Array | "stall",
  { endpoint, length }: ControlPacket,
): Pick<ControlPacket, "status" | "length" | "data"> {
  if (answer === "stall") return { status: RedirStatus.Stall, length: 0, data: NO_DATA };
  const { Success: status } = RedirStatus;
  return isIn(endpoint) ? { status, length: answer.byteLength, data: answer } : { status, length, data: NO_DATA };
}

function set(device: UsbDevice, recipient: number, bRequest: number, wValue: number, wIndex: number): boolean {
  return device.control({ bmRequestType: recipient, bRequest, wValue, wIndex, wLength: 0 }, NO_DATA) !== "stall";
}

/** One byte; undefined when the device refused. */
function get(device: UsbDevice, recipient: number, bRequest: number, wIndex: number): number | undefined {
  const bmRequestType = RequestType.In | recipient;
  const answer = device.control({ bmRequestType, bRequest, wValue: 0, wIndex, wLength: 1 }, NO_DATA);
  return answer === "stall" ? undefined : answer[0];
}

export function answerSetConfiguration(
  device: UsbDevice,
  { id, body }: Of<"setConfiguration">,
): readonly RedirMessage[] {
  const { configuration } = body;
  if (!set(device, Recipient.Device, Request.SetConfiguration, configuration, 0)) {
    return [{ type: "configurationStatus", id, body: { status: RedirStatus.Stall, configuration } }];
  }
  return [...tables(device.descriptors, configuration !== 0, id), configurationStatus(device, id)];
}

export function configurationStatus(device: UsbDevice, id: bigint): RedirMessage {
  const now = get(device, Recipient.Device, Request.GetConfiguration, 0);
  const status = now === undefined ? RedirStatus.Stall : RedirStatus.Success;
  return { type: "configurationStatus", id, body: { status, configuration: now ?? 0 } };
}

export function answerSetAltSetting(device: UsbDevice, { id, body }: Of<"setAltSetting">): readonly RedirMessage[] {
  const { alt, interface: number } = body;
  if (!set(device, Recipient.Interface, Request.SetInterface, alt, number)) {
    return [{ type: "altSettingStatus", id, body: { status: RedirStatus.Stall, interface: number, alt } }];
  }
  return [...tables(device.descriptors, true, id), altSettingStatus(device, id, number)];
}

export function altSettingStatus(device: UsbDevice, id: bigint, number: number): RedirMessage {
  const alt = get(device, Recipient.Interface, Request.GetInterface, number);
  const status = alt === undefined ? RedirStatus.Stall : RedirStatus.Success;
  return { type: "altSettingStatus", id, body: { status, interface: number, alt: alt ?? 0 } };
}
