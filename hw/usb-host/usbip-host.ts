import { createConnection, type Socket } from "node:net";
import { ByteQueue, type Codec, CodecError, decode, encode } from "../../shared/bytes/index.ts";
import type { Clock, Unsubscribe } from "../../shared/ports/index.ts";
import { realClock } from "../clock/real.ts";
import {
  type ListedDevice,
  OpCode,
  OpRepDevlist,
  OpRepImport,
  OpRequest,
  OpStatus,
  opReplyBytes,
  VERSION,
} from "../usb-device/usbip/index.ts";
import { isEem, looksLikeToken } from "./eem-interface.ts";
import { PollChanges } from "./poll-changes.ts";
import { type ClaimedStick, type FoundStick, type UsbHost, UsbHostError } from "./usb-host.ts";
import { UsbipStick } from "./usbip-stick.ts";

export interface UsbipHostOptions {
  readonly host: string;
  readonly port: number;
  /** Only this stick is found. */
  readonly busid?: string;
  /** Default the machine's. */
  readonly clock?: Clock;
}

const CONNECT_MS = 5_000;
const ANSWER_MS = 5_000;
/** The protocol tells of nothing by itself. */
const LOOK_EVERY_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;

/** USB/IP sticks of one server, used without the kernel (no vhci-hcd, no root). */
export function createUsbipHost(options: UsbipHostOptions): UsbHost {
  return new UsbipHost(options);
}

class UsbipHost implements UsbHost {
  readonly name: string;
  readonly #options: UsbipHostOptions;
  readonly #clock: Clock;
  readonly #claimed = new Set<UsbipStick>();
  /** Connections whose answer is waited for. */
  readonly #asking = new Set<Socket>();
  readonly #changes: PollChanges;
  #open = true;

  constructor(options: UsbipHostOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.name = `USB/IP server ${options.host}:${options.port}`;
    this.#changes = new PollChanges(() => this.find(), this.#clock, LOOK_EVERY_MS);
  }

  async find(): Promise<readonly FoundStick[]> {
    const { socket, answer } = await this.#exchange({ code: OpCode.ReqDevlist, status: 0 }, OpRepDevlist);
    socket.destroy();
    const { reply } = answer;
    if (reply.status !== OpStatus.Ok) throw this.#error("none", `lists no devices (status ${reply.status})`);
    const wanted = reply.devices.filter(({ device }) => (this.#options.busid ?? device.busid) === device.busid);
    return wanted.map((listed) => this.#found(listed));
  }

  async claim(stick: FoundStick): Promise<ClaimedStick> {
    const request = { code: OpCode.ReqImport, status: 0, busid: stick.at } as const;
    const { socket, answer, rest } = await this.#exchange(request, OpRepImport);
    const { reply } = answer;
    if (reply.status !== OpStatus.Ok || reply.device.busid !== stick.at) {
      socket.destroy();
      throw this.#refused(stick, reply.status);
    }
    const claimed = new UsbipStick(stick, reply.device, socket, this.#clock, () => this.#claimed.delete(claimed));
    this.#claimed.add(claimed);
    claimed.begin(rest);
    return claimed;
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#changes.on(listener);
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#changes.close();
    for (const socket of this.#asking) socket.destroy(new Error("it is not asked any more"));
    await Promise.all([...this.#claimed].map((stick) => stick.release()));
  }

  #found({ device, interfaces }: ListedDevice): FoundStick {
    const { busid: at, idVendor: vendorId, idProduct: productId } = device;
    const looks = { vendorId, productId, hasEem: interfaces.some(isEem), manufacturer: undefined, product: undefined };
    const isOurs = [...this.#claimed].some(({ stick }) => stick.at === at);
    return { at, vendorId, productId, state: isOurs ? "claimed" : "unknown", isToken: looksLikeToken(looks) };
  }

  #refused({ at }: FoundStick, status: number): UsbHostError {
    if (status === OpStatus.Busy) return this.#error("busy", `says that ${at} is in use by somebody else`);
    // Linux' usbipd says "not available" of what is not there and of what is in use.
    if (status === OpStatus.NotAvailable)
      return this.#error("busy", `says that ${at} is not available: not there, or in use`);
    return this.#error("gone", `has no device ${at} any more (status ${status})`);
  }

  #error(reason: UsbHostError["reason"], problem: string, cause?: unknown): UsbHostError {
    return new UsbHostError(reason, `The ${this.name} ${problem}`, { cause });
  }

  /** One request and its answer; what came behind the answer is given, too. The socket is the caller's, paused. */
  async #exchange<T>(request: OpRequest["request"], codec: Codec<T>): Promise<Exchange<T>> {
    const socket = await this.#connect();
    const reader = new ReplyReader(codec);
    let cancel: Unsubscribe = () => undefined;
    try {
      const answer = await new Promise<T>((resolve, reject) => {
        const fail = (problem: string, cause?: unknown) => reject(this.#error("none", problem, cause));
        cancel = this.#clock.after(ANSWER_MS, () => fail(`did not answer within ${ANSWER_MS / 1_000} s`));
        socket.on("error", (error) => fail(`is not reached: ${error.message}`, error));
        socket.on("close", () => fail("closed the connection without an answer"));
        socket.on("data", (chunk: Uint8Array) => {
          try {
            const whole = reader.receive(chunk);
            if (whole === undefined) return;
            socket.pause();
            resolve(whole);
          } catch (error) {
            if (!(error instanceof CodecError)) throw error;
            fail(`speaks something else than USB/IP 1.1.1: ${error.message}`, error);
          }
        });
        socket.write(encode(OpRequest, { version: VERSION, request }));
      });
      return { socket, answer, rest: reader.received.take(reader.received.size) ?? new Uint8Array(0) };
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      cancel();
      this.#asking.delete(socket);
      socket.removeAllListeners("data");
      socket.removeAllListeners("close");
      socket.removeAllListeners("error");
      socket.on("error", () => socket.destroy()); // whoever goes on with it says why by itself
    }
  }

  #connect(): Promise<Socket> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      if (!this.#open) return reject(this.#error("none", "is not asked any more"));
      const options = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
      const socket = createConnection(options);
      this.#asking.add(socket);
      const failed = (problem: string, cause?: unknown) => {
        cancel();
        this.#asking.delete(socket);
        socket.destroy();
        reject(this.#error("none", problem, cause));
      };
      const cancel = this.#clock.after(CONNECT_MS, () => failed(`is not reached within ${CONNECT_MS / 1_000} s`));
      socket.once("error", (error: NodeJS.ErrnoException) => {
        failed(
          error.code === "ECONNREFUSED" ? "is not running: nothing listens there" : `is not reached: ${error.message}`,
          error,
        );
      });
      socket.once("connect", () => {
        cancel();
        socket.removeAllListeners("error");
        resolve(socket);
      });
    });
  }
}

interface Exchange<T> {
  readonly socket: Socket;
  readonly answer: T;
  readonly rest: Uint8Array;
}

/** The reply once it is whole. */
class ReplyReader<T> {
  readonly received = new ByteQueue();
  readonly #codec: Codec<T>;
  #needed = 0;

  constructor(codec: Codec<T>) {
    this.#codec = codec;
  }

  receive(chunk: Uint8Array): T | undefined {
    this.received.push(chunk);
    for (;;) {
      const reply = this.received.peek(this.#needed);
      if (reply === undefined) return undefined;
      const size = opReplyBytes(reply);
      if (size === this.#needed) break;
      this.#needed = size;
    }
    return decode(this.#codec, this.received.take(this.#needed) ?? new Uint8Array(0));
  }
}
