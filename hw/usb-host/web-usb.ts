/// <reference types="w3c-web-usb" />
/** As much of node-usb 3.1 (package `usb`) as is used here: WebUSB, and what it adds to it. Errors are told apart by their text. */
import { access } from "node:fs/promises";
import { SYSFS_USB } from "./sysfs.ts";
import { UsbHostError } from "./usb-host.ts";

export interface WebUsbSetup {
  readonly requestType: "standard" | "class" | "vendor";
  readonly recipient: "device" | "interface" | "endpoint" | "other";
  readonly request: number;
  readonly value: number;
  readonly index: number;
}

export interface WebUsbIn {
  readonly data?: DataView | undefined;
  readonly status?: string | undefined;
}

/** A timeout is in milliseconds; a transfer that it ends rejects with "... Cancelled" or "... cancelled". */
export interface WebUsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  /** Linux: three digits. */
  readonly bus: string;
  readonly address: number;
  readonly ports: readonly number[];
  /** The same for all objects of one device, until it is unplugged. */
  readonly handle: string;
  // Getters that may have to open the device, and throw when that is not allowed.
  readonly manufacturerName?: string | null | undefined;
  readonly productName?: string | null | undefined;
  readonly serialNumber?: string | null | undefined;
  open(): Promise<void>;
  close(): Promise<void>;
  selectConfiguration(value: number): Promise<void>;
  claimInterface(number: number): Promise<void>;
  releaseInterface(number: number): Promise<void>;
  selectAlternateInterface(number: number, setting: number): Promise<void>;
  clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void>;
  controlTransferIn(setup: WebUsbSetup, length: number, timeoutMs: number): Promise<WebUsbIn>;
  controlTransferOut(
    setup: WebUsbSetup,
    data: Uint8Array<ArrayBuffer>,
    timeoutMs: number,
  ): Promise<{ status?: string | undefined }>;
  transferIn(endpointNumber: number, length: number, timeoutMs: number): Promise<WebUsbIn>;
  transferOut(
    endpointNumber: number,
    data: Uint8Array<ArrayBuffer>,
    timeoutMs: number,
  ): Promise<{ status?: string | undefined }>;
  /** Linux only. */
  detachKernelDriver(number: number): Promise<void>;
  attachKernelDriver(number: number): Promise<void>;
}

/** Plugging and unplugging. The calls reject where the system does not tell; the library's own event target would throw that where nobody can catch it. */
export interface WebUsbHotplug {
  addAttach(listener: () => void): Promise<void>;
  addDetach(listener: () => void): Promise<void>;
  removeAttach(): Promise<void>;
  removeDetach(): Promise<void>;
}

export interface WebUsb {
  getDevices(): Promise<readonly WebUsbDevice[]>;
  createHotplug(): WebUsbHotplug;
}

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Loads the library. Rejects with UsbHostError `unsupported` where there is no USB: then it must not be touched. */
export async function loadWebUsb(platform: NodeJS.Platform = process.platform, sysfs = SYSFS_USB): Promise<WebUsb> {
  if (platform === "linux") {
    await access(sysfs).catch((cause: unknown) => {
      throw new UsbHostError("unsupported", `This machine has no USB: there is no ${sysfs}`, { cause });
    });
  }
  try {
    const [{ usb }, native] = await Promise.all([import("usb"), import("usb/index.js")]);
    const devices: WebUsb["getDevices"] = async () => (await usb.getDevices()) as readonly WebUsbDevice[];
    return { getDevices: devices, createHotplug: () => new native.Emitter() };
  } catch (cause) {
    throw new UsbHostError("unsupported", `The library for USB cannot be used on this machine: ${message(cause)}`, {
      cause,
    });
  }
}

/** What an error of the library means; `undefined` is none of these. */
export type WebUsbProblem =
  | "stall"
  | "timeout"
  | "gone"
  | "permission"
  | "busy"
  | "none-attached"
  | "attached"
  | undefined;

export function problemOf(error: unknown): WebUsbProblem {
  const text = message(error).toLowerCase();
  // The library looks at the descriptors itself, and does not even ask the device.
  if (/stall|invalid configuration|alternate setting not found/.test(text)) return "stall";
  if (text.includes("cancelled")) return "timeout";
  if (/disconnected|errno 19\b|os error 19\b|not connected|no such device/.test(text)) return "gone";
  if (/permission|errno 1[3]?\b|os error 13\b/.test(text)) return "permission";
  if (/no kernel driver/.test(text)) return "none-attached";
  if (/already attached/.test(text)) return "attached";
  return /busy|errno 16\b|in use/.test(text) ? "busy" : undefined;
}
