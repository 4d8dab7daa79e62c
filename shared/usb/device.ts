import type { Unsubscribe } from "../ports/index.ts";
import type { DeviceDescriptor, UsbConfiguration } from "./descriptors.ts";
import type { SetupPacket } from "./setup.ts";

/** Everything a bus must know to announce the device, and all that GET_DESCRIPTOR gives. */
export interface UsbDescriptors {
  readonly speed: "full";
  readonly device: DeviceDescriptor;
  readonly configuration: UsbConfiguration;
  /** By index; 0 is unused. In US English. */
  readonly strings: readonly string[];
}

/**
 * A USB device behind any bus. IN and OUT are the host's view; endpoints are named by their addresses, 0x81 is IN 1. A bus
 * adapter calls `busReset` when the device is attached and again when it is gone: nothing else tells it of being unplugged.
 */
export interface UsbDevice {
  readonly descriptors: UsbDescriptors;
  /**
   * A control transfer on endpoint 0. `out` is the data stage from the host, empty when there is none. Gives the data stage
   * to the host, never longer than wLength, and empty when there is none.
   */
  control(setup: SetupPacket, out: Uint8Array): Uint8Array | "stall";
  /**
   * Data to an OUT endpoint: one USB packet of a transfer or all of it, as the bus has it; empty data is a zero-length packet.
   * After "nak" the same data is offered again later.
   */
  bulkOut(ep: number, data: Uint8Array): "ack" | "nak" | "stall";
  /**
   * Data from an IN endpoint into a buffer of `max` bytes. A transfer that is longer goes on at the next call; one that fits
   * comes whole, and only a full buffer may mean that it goes on.
   */
  bulkIn(ep: number, max: number): Uint8Array | "nak" | "stall";
  /** Told when an IN endpoint that answered "nak" may have data now; may be told too often, and inside any other call. */
  onInReady(listener: (ep: number) => void): Unsubscribe;
  busReset(): void;
  suspend(): void;
  resume(): void;
}
