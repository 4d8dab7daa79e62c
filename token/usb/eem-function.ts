import { createEemLink, type EemCrc, type EemLinkCounters } from "../../shared/eem/index.ts";
import type { FrameLink, Unsubscribe } from "../../shared/ports/index.ts";
import { StandardRequests, type UsbDevice } from "../../shared/usb/index.ts";
import { EEM_IN, EEM_OUT, tokenDescriptors, USB_PACKET_BYTES } from "./descriptors.ts";

export interface EemFunctionOptions {
  /** The serial number string: 1 to 126 UTF-16 units. */
  readonly serial: string;
  /** What the frames to the host carry, default `real`; the reference stick sends the sentinel. */
  readonly crc?: EemCrc;
  /** Keep silent after SET_CONFIGURATION until the host has sent something, as the reference stick does. Default false. */
  readonly waitForHost?: boolean;
  /** Frames kept for a host that does not fetch them; beyond that the oldest is lost. Default 64. */
  readonly maxQueued?: number;
}

/** What the token plugs its IP host into, and what a bus plugs into the host. */
export interface EemFunction {
  readonly usb: UsbDevice;
  /** The token's side. Frames are carried while a host has configured the device; before, they are counted as refused. */
  readonly link: FrameLink;
  readonly configured: boolean;
  readonly counters: Readonly<EemLinkCounters>;
  /** How much each queue holds at present, by its name. */
  holdings(): Readonly<Record<string, number>>;
  /** True when a host has configured the device, false when that ended: bus reset, unplugging, configuration 0. Never twice the same. */
  onConfigured(listener: (configured: boolean) => void): Unsubscribe;
}

export function createEemFunction(options: EemFunctionOptions): EemFunction {
  const { serial, crc = "real", waitForHost = false, maxQueued = 64 } = options;
  if (serial.length < 1 || serial.length > 126) throw new RangeError(`a serial number of ${serial.length} units`);
  const descriptors = tokenDescriptors(serial);
  const configuredListeners = new Set<(configured: boolean) => void>();
  const readyListeners = new Set<(ep: number) => void>();
  let configured = false;
  let suspended = false;
  let heardHost = false;

  // Linux (drivers/net/usb/cdc_eem.c) checks a real CRC over all that is left of the transfer: nothing may follow it.
  const eem = createEemLink({
    crc,
    maxQueued,
    bundle: crc === "sentinel",
    padding: "before",
    usbPacketBytes: USB_PACKET_BYTES,
    chunked: true,
    onPending: () => tellReady(),
  });
  const mayTalk = () => configured && !suspended && (heardHost || !waitForHost);
  const tellReady = () => {
    if (!eem.pending || !mayTalk() || requests.isHalted(EEM_IN)) return;
    for (const listener of [...readyListeners]) listener(EEM_IN);
  };
  /** Also when it was configured before: the endpoints begin anew. */
  const setConfigured = (now: boolean) => {
    const changed = configured !== now;
    configured = now;
    heardHost = false;
    eem.setUp(now);
    if (changed) for (const listener of [...configuredListeners]) listener(now);
  };
  const requests = new StandardRequests({
    descriptors,
    onConfiguration: (value) => setConfigured(value !== 0),
    onHalt: (endpoint, halted) => {
      // Whether it was set or cleared: the data toggle begins anew, and the host has given up what it had of a transfer.
      eem.abandon(endpoint === EEM_IN ? "sent" : "received");
      if (!halted) tellReady();
    },
  });

  const usb: UsbDevice = {
    descriptors,
    control: (setup) => requests.handle(setup),
    bulkOut(ep, data) {
      if (ep !== EEM_OUT || !configured || requests.isHalted(ep)) return "stall";
      if (suspended) return "nak";
      const first = !heardHost;
      heardHost = true;
      eem.feed(data);
      if (first) tellReady();
      return "ack";
    },
    bulkIn(ep, max) {
      if (ep !== EEM_IN || !configured || requests.isHalted(ep)) return "stall";
      return (mayTalk() ? eem.take(max) : undefined) ?? "nak";
    },
    onInReady: (listener) => subscribe(readyListeners, listener),
    busReset() {
      requests.reset();
      suspended = false;
      setConfigured(false);
    },
    suspend() {
      suspended = true;
    },
    resume() {
      suspended = false;
      tellReady();
    },
  };
  return {
    usb,
    link: eem.link,
    get configured() {
      return configured;
    },
    get counters() {
      return eem.counters;
    },
    holdings: () => eem.holdings(),
    onConfigured: (listener) => subscribe(configuredListeners, listener),
  };
}

function subscribe<T>(listeners: Set<(value: T) => void>, listener: (value: T) => void): Unsubscribe {
  const own = (value: T) => listener(value);
  listeners.add(own);
  return () => {
    listeners.delete(own);
  };
}
