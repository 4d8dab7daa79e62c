import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Log } from "../../../shared/ports/index.ts";
import type { UsbDevice } from "../../../shared/usb/index.ts";
import { type ListenAddress, listenAt } from "../../net/listen.ts";
import { RedirSession } from "./session.ts";

export interface UsbredirServerOptions {
  readonly listen: ListenAddress;
  readonly device: UsbDevice;
  readonly clock: Clock;
  readonly log: Log;
}

/** A machine that was switched off says nothing: TCP finds out. */
const KEEP_ALIVE_MS = 10_000;

/** A device that one virtual machine at a time may have. It begins unplugged. */
export interface UsbredirServer {
  readonly local: ListenAddress;
  /** Shows the device to the virtual machine that is connected, or that will be. */
  plug(): void;
  /** Takes it away; the connection stays. */
  unplug(): void;
  close(): Promise<void>;
}

/**
 * Offers the device to QEMU's `usb-redir`, which connects: `-chardev socket,id=tok,path=PATH,reconnect=1 -device usb-redir,chardev=tok`.
 * Rejects with a sentence when the address cannot be had. The protocol knows no authentication: who reaches the address has the device.
 */
export async function openUsbredirServer(options: UsbredirServerOptions): Promise<UsbredirServer> {
  const bus = new RedirBus(options);
  await bus.listen();
  return bus;
}

class RedirBus implements UsbredirServer {
  readonly #options: UsbredirServerOptions;
  readonly #server: Server;
  #local: ListenAddress;
  #session: RedirSession | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #ignoreReady: () => void;
  #plugged = false;

  constructor(options: UsbredirServerOptions) {
    this.#options = options;
    this.#local = options.listen;
    const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    this.#server = createServer(tcp, (socket) => this.#connected(socket));
    this.#ignoreReady = options.device.onInReady(() => this.#session?.deviceReady());
  }

  async listen(): Promise<void> {
    const { listen, log } = this.#options;
    try {
      this.#local = await listenAt(this.#server, listen);
    } catch (error) {
      this.#ignoreReady();
      throw error;
    }
    this.#server.on("error", (error) => log.write("warn", `usbredir: ${error.message}`));
  }

  get local(): ListenAddress {
    return this.#local;
  }

  plug(): void {
    this.#plugged = true;
    this.#session?.plug();
  }

  unplug(): void {
    this.#plugged = false;
    this.#session?.unplug();
  }

  async close(): Promise<void> {
    this.#ignoreReady();
    for (const socket of this.#sockets) socket.destroy();
    this.#session?.end();
    this.#session = undefined;
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #connected(socket: Socket): void {
    const { device, clock, log } = this.#options;
    socket.on("error", (error) => log.write("debug", `usbredir: ${error.message}`));
    if (this.#session !== undefined) {
      log.write("warn", "usbredir: another virtual machine was turned away: the device is in use");
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const session = new RedirSession({
      device,
      clock,
      log,
      send: (bytes) => socket.write(bytes),
      fail(reason) {
        log.write("warn", `usbredir: the connection was closed: ${reason}`);
        socket.destroy();
      },
    });
    this.#session = session;
    socket.on("data", (bytes) => {
      session.receive(bytes);
      if (session.congested) socket.pause();
    });
    socket.on("drain", () => {
      session.drained();
      if (!session.congested) socket.resume();
    });
    socket.on("close", () => {
      this.#sockets.delete(socket);
      session.end();
      if (this.#session !== session) return;
      this.#session = undefined;
      log.write("info", "usbredir: the virtual machine is gone");
    });
    log.write("info", "usbredir: a virtual machine is connected");
    session.start();
    if (this.#plugged) session.plug();
  }
}
