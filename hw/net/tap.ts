import { closeSync, constants, openSync, writeSync } from "node:fs";
import { ETHERNET_HEADER_BYTES } from "../../shared/net/index.ts";
import type { FrameLink, Log, Unsubscribe } from "../../shared/ports/index.ts";
import { flagsRequest, InterfaceError, interfaceExists, isInterfaceName } from "./interface.ts";
import { type Libc, openLibc } from "./libc.ts";

/** Linux, Documentation/networking/tuntap.rst. */
const TUNSETIFF = 0x4004_54ca;
const TUNSETCARRIER = 0x4004_54e2;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;

const MTU = 1_500;
/** Longer than any frame of that MTU, with VLAN tags; longer ones are cut by the kernel and lost here. */
const BUFFER_BYTES = 2_048;
/** Frames taken before others have their turn. */
const DRAIN = 256;
/** How long `close` may have to wait for the thread that waits for frames. */
const POLL_MS = 100;

export interface TapOptions {
  /** 1 to 15 characters. */
  readonly name: string;
  readonly log?: Log;
}

/** The network cable of a TAP interface of this machine: what is sent arrives at the kernel. */
export interface Tap extends FrameLink {
  readonly name: string;
  /** It was not there before, and goes with `close` or the end of the process. */
  readonly created: boolean;
  /** Whether the kernel sees a cable plugged in. At first it does. */
  setCarrier(on: boolean): void;
  /** Told once, when somebody deleted the interface. */
  onGone(listener: () => void): Unsubscribe;
}

/**
 * A TAP interface: one that exists and that this user may open, or a new one, which takes root (CAP_NET_ADMIN). Rejects with
 * InterfaceError, a sentence.
 */
export async function openTap({ name, log }: TapOptions): Promise<Tap> {
  if (!isInterfaceName(name)) throw new RangeError(`"${name}" is no name of an interface`);
  const created = !(await interfaceExists(name)); // says it when there are no TAP interfaces here at all
  const libc = await openLibc();
  const fd = openTun(name);
  const error = libc.ioctl(fd, TUNSETIFF, flagsRequest(name, IFF_TAP | IFF_NO_PI));
  if (error === undefined) return new TapLink(libc, fd, name, created, log);
  closeSync(fd);
  throw refused(name, created, error);
}

const TUN_DEVICE = "/dev/net/tun";

function openTun(name: string): number {
  try {
    return openSync(TUN_DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const why = code === "EACCES" || code === "EPERM" ? "this user may not open it" : "modprobe tun, as root";
    const reason = code === "EACCES" || code === "EPERM" ? "permission" : "unsupported";
    throw new InterfaceError(reason, `${name} needs ${TUN_DEVICE}: ${why} (${String(code)})`, { cause });
  }
}

function refused(name: string, created: boolean, error: string): InterfaceError {
  if (error === "EBUSY") return new InterfaceError("busy", `The interface ${name} is in use by another program`);
  if (error === "EINVAL" && !created) {
    return new InterfaceError(
      "unsupported",
      `The interface ${name} exists and is no TAP interface: choose another name`,
    );
  }
  if (error !== "EPERM") return new InterfaceError("unsupported", `The interface ${name} cannot be had: ${error}`);
  if (!created) return new InterfaceError("permission", `The interface ${name} belongs to another user`);
  const way = `ip tuntap add ${name} mode tap user $USER`;
  return new InterfaceError("permission", `Only root may make the interface ${name}, here or before: ${way}`);
}

class TapLink implements Tap {
  readonly mtu = MTU;
  readonly name: string;
  readonly created: boolean;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #log: Log | undefined;
  readonly #listeners = new Set<(frame: Uint8Array) => void>();
  readonly #goneListeners = new Set<() => void>();
  readonly #ended: Promise<void>;
  #open = true;
  #closed: Promise<void> | undefined;

  constructor(libc: Libc, fd: number, name: string, created: boolean, log: Log | undefined) {
    this.#libc = libc;
    this.#fd = fd;
    this.name = name;
    this.created = created;
    this.#log = log;
    this.#ended = this.#receive();
  }

  send(frame: Uint8Array): void {
    if (!this.#open || frame.byteLength > MTU + ETHERNET_HEADER_BYTES) return;
    try {
      writeSync(this.#fd, frame);
    } catch (error) {
      // Such as EIO while the interface is down, ENOBUFS: lost, as on a wire.
      this.#log?.write("debug", `${this.name}: a frame was not sent`, { error });
    }
  }

  onFrame(listener: (frame: Uint8Array) => void): Unsubscribe {
    return subscribe(this.#listeners, (frame: Uint8Array) => listener(frame));
  }

  onGone(listener: () => void): Unsubscribe {
    return subscribe(this.#goneListeners, () => listener());
  }

  setCarrier(on: boolean): void {
    if (!this.#open) return;
    const error = this.#libc.ioctl(this.#fd, TUNSETCARRIER, Uint8Array.of(on ? 1 : 0, 0, 0, 0));
    // Linux before 5.0 does not know it: nobody answers all the same.
    if (error !== undefined) this.#log?.write("debug", `${this.name}: the carrier cannot be switched: ${error}`);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#open = false;
    this.#listeners.clear();
    await this.#ended; // the other thread holds the descriptor until then
    closeSync(this.#fd);
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    while (this.#open) {
      const state = await this.#libc.readable(this.#fd, POLL_MS);
      if (state === "readable") this.#drain(buffer);
      if (state !== "broken") continue;
      if (this.#open) this.#gone();
      return;
    }
  }

  #drain(buffer: Uint8Array): void {
    for (let taken = 0; taken < DRAIN && this.#open; taken++) {
      const size = this.#libc.read(this.#fd, buffer);
      if (typeof size === "string") return; // EAGAIN: nothing more
      if (size > MTU + ETHERNET_HEADER_BYTES) continue;
      const frame = buffer.slice(0, size);
      for (const listener of [...this.#listeners]) listener(frame);
    }
  }

  #gone(): void {
    this.#open = false;
    for (const listener of [...this.#goneListeners]) listener();
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): Unsubscribe {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}
