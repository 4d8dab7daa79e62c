/** A virtual machine's side of usbredir, told what to say; it reads what it gets as strictly as the server reads it. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { type Features, NO_FEATURES } from "../../../../hw/usb-device/usbredir/bodies.ts";
import { type RedirMessage, redirMessage } from "../../../../hw/usb-device/usbredir/codec.ts";
import { RedirSession, type RedirSessionOptions } from "../../../../hw/usb-device/usbredir/session.ts";
import { concat, encode, Reader } from "../../../../shared/bytes/index.ts";
import type { Unsubscribe } from "../../../../shared/ports/index.ts";
import type { SetupPacket, UsbDevice } from "../../../../shared/usb/index.ts";
import { tokenDescriptors } from "../../../../token/usb/index.ts";
import { TestLog } from "../../../support/coap-pair.ts";

export const NO_DATA: Uint8Array = new Uint8Array(0);

/** QEMU's capabilities, 0x7f and bulk receiving. */
export const QEMU_WORD = 0xff;
export const ALL_FEATURES: Features = {
  deviceVersion: true,
  disconnectAck: true,
  maxPacketSize: true,
  ids64: true,
  bulkLength32: true,
};

export type Of<T extends RedirMessage["type"]> = Extract<RedirMessage, { readonly type: T }>;

/** Answers as it is told to, and writes down what it was asked. */
export class FakeDevice implements UsbDevice {
  readonly descriptors = tokenDescriptors("TEST");
  readonly asked: string[] = [];
  readonly setups: SetupPacket[] = [];
  readonly received: Uint8Array[] = [];
  resets = 0;
  configuration = 0;
  refusesControl = false;
  out: "ack" | "nak" | "stall" = "ack";
  /** For IN transfers, the next first. */
  readonly data: (Uint8Array | "stall")[] = [];
  readonly #listeners = new Set<(ep: number) => void>();

  control(setup: SetupPacket, out: Uint8Array): Uint8Array | "stall" {
    this.setups.push(setup);
    this.asked.push(
      `control ${setup.bmRequestType}.${setup.bRequest} ${setup.wValue} ${setup.wIndex} ${out.byteLength}`,
    );
    if (this.refusesControl) return "stall";
    if (setup.bRequest === 9) this.configuration = setup.wValue;
    if (setup.bRequest === 8) return Uint8Array.of(this.configuration);
    return new Uint8Array(setup.bmRequestType >= 0x80 ? Math.min(setup.wLength, 4) : 0).fill(7);
  }

  bulkOut(_ep: number, data: Uint8Array): "ack" | "nak" | "stall" {
    if (this.out === "ack") this.received.push(data.slice());
    return this.out;
  }

  bulkIn(_ep: number, max: number): Uint8Array | "nak" | "stall" {
    const next = this.data[0];
    if (next === undefined) return "nak";
    if (next === "stall" || next.byteLength <= max) {
      this.data.shift();
      return next;
    }
    this.data[0] = next.slice(max);
    return next.slice(0, max);
  }

  give(...data: readonly (Uint8Array | "stall")[]): void {
    this.data.push(...data);
    for (const listener of this.#listeners) listener(0x81);
  }

  onInReady(listener: (ep: number) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  busReset(): void {
    this.resets += 1;
    this.configuration = 0;
  }

  suspend(): void {
    this.asked.push("suspend");
  }

  resume(): void {
    this.asked.push("resume");
  }
}

/** What came, and how to say something. */
export class Guest {
  readonly got: RedirMessage[] = [];
  #features: Features = NO_FEATURES;
  #rest: Uint8Array = NO_DATA;
  readonly #send: (bytes: Uint8Array) => void;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  say(message: RedirMessage): void {
    this.#send(this.encode(message));
  }

  encode(message: RedirMessage): Uint8Array {
    return encode(redirMessage(message.type === "hello" ? NO_FEATURES : this.#features, "guest"), message);
  }

  hello(capabilities: readonly number[] = [QEMU_WORD]): void {
    const version = new Uint8Array(64);
    version.set(Buffer.from("a guest of the tests"));
    const has = (bit: number) => ((capabilities[0] ?? 0) & (1 << bit)) !== 0;
    this.#features = {
      deviceVersion: has(1),
      disconnectAck: has(3),
      maxPacketSize: has(4),
      ids64: has(5),
      bulkLength32: has(6),
    };
    this.say({ type: "hello", id: 0n, body: { version, capabilities } });
  }

  bulkIn(id: bigint, length: number): void {
    this.say({ type: "bulkPacket", id, body: { endpoint: 0x81, status: 0, length, data: NO_DATA } });
  }

  bulkOut(id: bigint, data: Uint8Array): void {
    this.say({ type: "bulkPacket", id, body: { endpoint: 0x01, status: 0, length: data.byteLength, data } });
  }

  cancel(id: bigint): void {
    this.say({ type: "cancelDataPacket", id, body: undefined });
  }

  /** Bytes from the device's side; its hello is laid out without features. */
  hear(bytes: Uint8Array): void {
    this.#rest = concat(this.#rest, bytes);
    for (;;) {
      const features = this.got.length === 0 ? NO_FEATURES : this.#features;
      const from = new Reader(this.#rest);
      if (from.remaining < 8) return;
      from.u32le();
      const size = from.u32le() + (features.ids64 ? 16 : 12);
      if (this.#rest.byteLength < size) return;
      this.got.push(redirMessage(features, "device").read(new Reader(this.#rest.slice(0, size))));
      this.#rest = this.#rest.slice(size);
    }
  }

  get types(): readonly string[] {
    return this.got.map(({ type }) => type);
  }

  /** The messages since the last call, or the first. */
  take(): readonly RedirMessage[] {
    return this.got.splice(1);
  }

  /** The one message since the last call. */
  one<T extends RedirMessage["type"]>(type: T): Of<T> {
    const all = this.take();
    assert.deepEqual(
      all.map((message) => message.type),
      [type],
    );
    return all[0] as Of<T>;
  }
}

/** A session without sockets, and a guest that has not said hello. */
export function scene(options: Partial<RedirSessionOptions> = {}) {
  const device = new FakeDevice();
  const clock = new VirtualClock();
  const log = new TestLog();
  const failures: string[] = [];
  const guest = new Guest((bytes) => session.receive(bytes));
  const session: RedirSession = new RedirSession({
    device,
    clock,
    log,
    send(bytes) {
      guest.hear(bytes);
      return true;
    },
    fail: (reason) => failures.push(reason),
    ...options,
  });
  device.onInReady(() => session.deviceReady());
  return { device, clock, log, failures, guest, session };
}

/** The same, with the device plugged in at a guest that knows everything. */
export function attached(options: Partial<RedirSessionOptions> = {}) {
  const it = scene(options);
  it.session.start();
  it.session.plug();
  it.guest.hello();
  it.guest.take();
  return it;
}
