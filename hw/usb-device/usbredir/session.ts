import { CodecError, encode, utf8 } from "../../../shared/bytes/index.ts";
import type { Clock, Log, Unsubscribe } from "../../../shared/ports/index.ts";
import type { UsbDevice } from "../../../shared/usb/index.ts";
import {
  altSettingStatus,
  answerControl,
  answerSetAltSetting,
  answerSetConfiguration,
  configurationStatus,
  type Of,
  tables,
} from "./answers.ts";
import { Capability, type Features, NO_FEATURES } from "./bodies.ts";
import { type RedirMessage, redirMessage } from "./codec.ts";
import { RedirInput } from "./input.ts";
import { deviceConnectOf } from "./tables.ts";
import { BulkTransfers, DEFAULT_TRANSFER_LIMITS, type Transfer, type TransferLimits } from "./transfers.ts";

/** A peer that says nothing must not keep the place of one that does. */
const HELLO_WITHIN_MS = 10_000;
const NAK_RETRY_MS = 1;
const VERSION = "fobnail usbredir 0.7.1";
/** 0x7A. QEMU's xHCI refuses a full-speed device without the last three. */
const CAPABILITIES = Object.values(Capability);

export interface RedirSessionOptions {
  readonly device: UsbDevice;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: TransferLimits;
  /** Takes bytes for the peer; false when no more is wanted until `drained`. */
  send(bytes: Uint8Array): boolean;
  /** The connection is of no use any more. The caller closes it and calls `end`. */
  fail(reason: string): void;
}

/** One connection with a virtual machine, without its socket. Everything happens within a call from outside or a timer. */
export class RedirSession {
  readonly #options: RedirSessionOptions;
  readonly #input = new RedirInput();
  #output = redirMessage(NO_FEATURES, "device");
  readonly #transfers: BulkTransfers;
  /** Undefined until the peer's hello. */
  #features: Features | undefined;
  #plugged = false;
  /** The guest has the device. */
  #attached = false;
  /** The guest has not said yet that it let go of the device: what it sends is for the one that is gone. */
  #leaving = false;
  #congested = false;
  #ended = false;
  #moving = false;
  #moveAgain = false;
  #cancelHello: Unsubscribe;
  #cancelRetry: Unsubscribe = () => undefined;

  constructor(options: RedirSessionOptions) {
    this.#options = options;
    this.#transfers = new BulkTransfers(options.device, options.limits ?? DEFAULT_TRANSFER_LIMITS);
    this.#cancelHello = options.clock.after(HELLO_WITHIN_MS, () => this.#fail("no hello came"));
  }

  /** Nothing should be received until `drained`. */
  get congested(): boolean {
    return this.#congested;
  }

  get attached(): boolean {
    return this.#attached;
  }

  get pendingTransfers(): number {
    return this.#transfers.count;
  }

  start(): void {
    const version = new Uint8Array(64);
    version.set(utf8(VERSION));
    const word = CAPABILITIES.reduce<number>((bits, bit) => bits | (1 << bit), 0);
    this.#send({ type: "hello", id: 0n, body: { version, capabilities: [word] } });
  }

  receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#input.add(bytes);
    this.#read();
  }

  /** The peer has read what was sent. */
  drained(): void {
    if (this.#ended || !this.#congested) return;
    this.#congested = false;
    this.#move();
    this.#read();
  }

  plug(): void {
    this.#plugged = true;
    this.#attach();
  }

  unplug(): void {
    this.#plugged = false;
    if (!this.#attached) return;
    this.#detach();
    this.#leaving = this.#features?.disconnectAck === true;
    this.#send({ type: "deviceDisconnect", id: 0n, body: undefined });
  }

  /** An IN endpoint of the device may have data. */
  deviceReady(): void {
    if (this.#attached) this.#move();
  }

  /** The connection is gone. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelHello();
    if (this.#attached) this.#detach();
  }

  #fail(reason: string): void {
    if (this.#ended) return;
    this.end();
    this.#options.fail(reason);
  }

  #send(message: RedirMessage): void {
    if (this.#ended) return;
    if (!this.#options.send(encode(this.#output, message))) this.#congested = true;
  }

  #sendAll(messages: readonly RedirMessage[]): void {
    for (const message of messages) this.#send(message);
  }

  #read(): void {
    try {
      while (!this.#congested && !this.#ended) {
        const message = this.#input.next();
        if (message === undefined) return;
        this.#handle(message);
      }
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#fail(error.message);
    }
  }

  #attach(): void {
    if (!this.#plugged || this.#features === undefined || this.#attached || this.#leaving) return;
    const { device } = this.#options;
    const { descriptors } = device;
    device.busReset();
    this.#attached = true;
    this.#sendAll(tables(descriptors, true));
    this.#send({ type: "deviceConnect", id: 0n, body: deviceConnectOf(descriptors) });
  }

  /** The device is nobody's. The transfers need no answer: they went with it. */
  #detach(): void {
    this.#attached = false;
    this.#cancelRetry();
    this.#transfers.cancelAll();
    this.#options.device.busReset();
  }

  #handle(message: RedirMessage): void {
    if (message.type === "hello") this.#greeted(message);
    else if (this.#features === undefined) this.#fail(`${message.type} came before hello`);
    else if (message.type === "deviceDisconnectAck") this.#letGo();
    else if (this.#attached) this.#handleForDevice(message);
  }

  #greeted({ body }: Of<"hello">): void {
    if (this.#features !== undefined) {
      this.#fail("a second hello came");
      return;
    }
    this.#cancelHello();
    const [word = 0] = body.capabilities;
    const has = (bit: number) => (word & (1 << bit)) !== 0;
    this.#features = {
      deviceVersion: has(Capability.ConnectDeviceVersion),
      disconnectAck: has(Capability.DeviceDisconnectAck),
      maxPacketSize: has(Capability.EpInfoMaxPacketSize),
      ids64: has(Capability.Ids64),
      bulkLength32: has(Capability.BulkLength32),
    };
    this.#input.use(this.#features);
    this.#output = redirMessage(this.#features, "device");
    this.#options.log.write("debug", "usbredir: hello", { peer: versionText(body) });
    this.#attach();
  }

  #letGo(): void {
    if (!this.#leaving) {
      this.#fail("device_disconnect_ack came for nothing");
      return;
    }
    this.#leaving = false;
    this.#attach();
  }

  #handleForDevice(message: RedirMessage): void {
    const { device } = this.#options;
    if (message.type === "reset") {
      this.#cancelAll();
      device.busReset();
    } else if (message.type === "setConfiguration") {
      this.#cancelAll(); // the transfers of the former one do not live on (USB 2.0, 9.1.1.5)
      this.#sendAll(answerSetConfiguration(device, message));
    } else if (message.type === "getConfiguration") {
      this.#send(configurationStatus(device, message.id));
    } else if (message.type === "setAltSetting") {
      this.#cancelAll();
      this.#sendAll(answerSetAltSetting(device, message));
    } else if (message.type === "getAltSetting") {
      this.#send(altSettingStatus(device, message.id, message.body.interface));
    } else if (message.type === "controlPacket") {
      this.#send(answerControl(device, message));
      this.#move(); // halts may have come and gone
    } else {
      this.#handleTransfer(message);
    }
  }

  #handleTransfer(message: RedirMessage): void {
    if (message.type === "cancelDataPacket") this.#answer(this.#transfers.cancel(message.id));
    if (message.type !== "bulkPacket") return; // a guest sends nothing else: the codec has looked
    this.#answer(this.#transfers.begin({ id: message.id, packet: message.body }));
    this.#move();
  }

  #cancelAll(): void {
    for (const cancelled of this.#transfers.cancelAll()) this.#answer(cancelled);
  }

  #answer(ended: Transfer | undefined): void {
    if (ended !== undefined) this.#send({ type: "bulkPacket", id: ended.id, body: ended.packet });
  }

  /** Ends every transfer for which the device has, or takes, data now. What it wakes meanwhile is moved by the same loop. */
  #move(): void {
    this.#moveAgain = true;
    if (this.#moving) return;
    this.#moving = true;
    try {
      while (this.#moveAgain) {
        this.#moveAgain = false;
        this.#moveOnce();
      }
    } finally {
      this.#moving = false;
    }
    this.#cancelRetry();
    if (this.#transfers.mustRetry) {
      this.#cancelRetry = this.#options.clock.after(NAK_RETRY_MS, () => this.#move());
    }
  }

  #moveOnce(): void {
    while (!this.#congested && this.#attached) {
      const ended = this.#transfers.next();
      if (ended === undefined) return;
      this.#answer(ended);
    }
  }
}

/** For people; what is not ASCII there is not worth an error. */
function versionText({ version }: Of<"hello">["body"]): string {
  const end = version.indexOf(0);
  const text = String.fromCharCode(...version.subarray(0, end < 0 ? version.byteLength : end));
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
