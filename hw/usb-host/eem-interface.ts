/** What makes a device a Fobnail token, and where its Ethernet is. */
import { TRANSFER_BULK, type UsbConfiguration, type UsbInterface } from "../../shared/usb/index.ts";

/** Communications class, Ethernet Emulation Model (CDC-EEM 1.0, 4). */
const EEM = { bInterfaceClass: 0x02, bInterfaceSubClass: 0x0c, bInterfaceProtocol: 0x07 } as const;
/** The reference stick's; not registered for it, so that class and names must fit, too. */
export const TOKEN_VENDOR = 0x1234;
export const TOKEN_PRODUCT = 0x4321;

type InterfaceClass = Readonly<Record<keyof typeof EEM, number>>;

export function isEem(of: InterfaceClass): boolean {
  return (
    of.bInterfaceClass === EEM.bInterfaceClass &&
    of.bInterfaceSubClass === EEM.bInterfaceSubClass &&
    of.bInterfaceProtocol === EEM.bInterfaceProtocol
  );
}

/** What is seen of a device from outside; undefined where the bus does not show it. */
export interface Looks {
  readonly vendorId: number;
  readonly productId: number;
  readonly hasEem: boolean | undefined;
  readonly manufacturer: string | undefined;
  readonly product: string | undefined;
}

/** By ids, class and names, as far as they are seen. */
export function looksLikeToken({ vendorId, productId, hasEem, manufacturer, product }: Looks): boolean {
  if (vendorId !== TOKEN_VENDOR || productId !== TOKEN_PRODUCT || hasEem === false) return false;
  const names = [manufacturer, product].filter((name) => name !== undefined);
  return names.length === 0 || names.some((name) => /fobnail/i.test(name));
}

/** Error with a sentence when there is none. */
export function eemInterface({ interfaces }: UsbConfiguration): UsbInterface {
  const found = interfaces.find(({ descriptor }) => isEem(descriptor));
  if (found === undefined) throw new Error("the device has no CDC-EEM interface");
  return found;
}

export interface BulkEndpoints {
  readonly epIn: number;
  readonly epOut: number;
  /** Bulk packet size. */
  readonly usbPacketBytes: number;
}

/** Error with a sentence when one is missing. */
export function bulkEndpoints({ endpoints }: UsbInterface): BulkEndpoints {
  const bulk = endpoints.filter((endpoint) => (endpoint.bmAttributes & 3) === TRANSFER_BULK);
  const input = bulk.find((endpoint) => (endpoint.bEndpointAddress & 0x80) !== 0);
  const output = bulk.find((endpoint) => (endpoint.bEndpointAddress & 0x80) === 0);
  if (input === undefined || output === undefined) throw new Error("the device lacks a bulk endpoint");
  if (input.wMaxPacketSize === 0 || output.wMaxPacketSize === 0)
    throw new Error("the device has bulk packets of no size");
  return { epIn: input.bEndpointAddress, epOut: output.bEndpointAddress, usbPacketBytes: output.wMaxPacketSize };
}
