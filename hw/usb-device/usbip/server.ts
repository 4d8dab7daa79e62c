import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Log, Unsubscribe } from "../../../shared/ports/index.ts";
import type { UsbDevice } from "../../../shared/usb/index.ts";
import { isBusid } from "../../usb-host/spec.ts";
import { type ListedDevice, UsbSpeed } from "./codec.ts";
import { type Exported, UsbipSession } from "./session.ts";

export interface UsbipServerOptions {
  /** An address of this machine; the protocol knows no authentication, so beyond the loopback anyone may take a stick. */
  readonly host: string;
  /** 0 lets the system choose; the protocol's own is 3240. */
  readonly port: number;
  /** All are plugged in at first. A busid is `BUS-PORT`, such as 1-1. */
  readonly sticks: readonly { readonly busid: string; readonly device: UsbDevice }[];
  readonly clock: Clock;
  readonly log: Log;
}

export interface UsbipServer {
  readonly local: { readonly address: string; readonly port: number };
  /** RangeError when there is no such stick. */
  plug(busid: string): void;
  /** Its importer's connection is closed, and it is no longer listed. RangeError when there is no such stick. */
  unplug(busid: string): void;
  /** The address of who has imported the stick. */
  importer(busid: string): string | undefined;
  /** Closes all connections. */
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
/** A peer that neither imports nor goes is in the way of others. */
const REQUEST_MS = 10_000;
/** A machine that was switched off says nothing: TCP finds out. */
const KEEP_ALIVE_MS = 10_000;
/** The hub has device number 1. */
const FIRST_DEVICE_NUMBER = 2;

interface Stick {
  readonly exported: Exported;
  plugged: boolean;
  connection: Connection | undefined;
}

/** Rejects with a sentence when the port cannot be had. */
export async function openUsbipServer(options: UsbipServerOptions): Promise<UsbipServer> {
  const server = new SocketServer(options);
  await server.listen();
  return server;
}

class SocketServer implements UsbipServer {
  readonly #options: UsbipServerOptions;
  readonly #sticks = new Map<string, Stick>();
  readonly #connections = new Set<Connection>();
  readonly #server: Server;

  constructor(options: UsbipServerOptions) {
    this.#options = options;
    for (const [index, { busid, device }] of options.sticks.entries()) {
      if (!isBusid(busid)) throw new RangeError(`"${busid}" is no bus id, such as 1-1`);
      if (this.#sticks.has(busid)) throw new RangeError(`bus id ${busid} twice`);
      const exported = { device, listed: listedDevice(busid, FIRST_DEVICE_NUMBER + index, device) };
      this.#sticks.set(busid, { exported, plugged: true, connection: undefined });
    }
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) =>
      this.#accept(socket),
    );
  }

  listen(): Promise<void> {
    const { host, port, log } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        reject(new Error(`TCP port ${port} of ${host} cannot be had: ${sayProblem(error)}`, { cause: error }));
      });
      this.#server.listen({ host, port, exclusive: true }, () => {
        this.#server.removeAllListeners("error");
        this.#server.on("error", (error) =>
          log.write("warn", `USB/IP: a connection was not accepted: ${error.message}`),
        );
        resolve();
      });
    });
  }

  get local(): { readonly address: string; readonly port: number } {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error("the USB/IP server is closed");
    return { address: bound.address, port: bound.port };
  }

  plug(busid: string): void {
    this.#stick(busid).plugged = true;
  }

  unplug(busid: string): void {
    const stick = this.#stick(busid);
    stick.plugged = false;
    stick.connection?.close();
  }

  importer(busid: string): string | undefined {
    return this.#stick(busid).connection?.peer;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of [...this.#connections]) connection.close();
    await closed;
  }

  #stick(busid: string): Stick {
    const stick = this.#sticks.get(busid);
    if (stick === undefined) throw new RangeError(`no stick has the bus id ${busid}`);
    return stick;
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      this.#options.log.write("warn", `USB/IP: ${MAX_CONNECTIONS} connections are open; no more are taken`);
      socket.destroy();
      return;
    }
    const connection: Connection = new Connection(socket, {
      clock: this.#options.clock,
      log: this.#options.log,
      list: () => [...this.#sticks.values()].filter(({ plugged }) => plugged).map(({ exported }) => exported),
      take: (busid) => this.#take(busid, connection),
      closed: () => this.#gone(connection),
    });
    this.#connections.add(connection);
  }

  #take(busid: string, connection: Connection): Exported | "absent" | "busy" {
    const stick = this.#sticks.get(busid);
    if (stick === undefined || !stick.plugged) return "absent";
    if (stick.connection !== undefined) return "busy";
    stick.connection = connection;
    this.#options.log.write("info", `USB/IP: ${connection.peer} imported ${busid}`);
    return stick.exported;
  }

  #gone(connection: Connection): void {
    this.#connections.delete(connection);
    for (const [busid, stick] of this.#sticks) {
      if (stick.connection !== connection) continue;
      stick.connection = undefined;
      this.#options.log.write("info", `USB/IP: ${connection.peer} let go of ${busid}`);
    }
  }
}

interface ConnectionEnv {
  readonly clock: Clock;
  readonly log: Log;
  list(): readonly Exported[];
  take(busid: string): Exported | "absent" | "busy";
  closed(): void;
}

/** A socket and its session. While the peer does not fetch what it was sent, nothing more is read from it. */
class Connection {
  readonly peer: string;
  readonly #socket: Socket;
  readonly #session: UsbipSession;
  readonly #env: ConnectionEnv;
  readonly #cancelTimeout: Unsubscribe;
  #open = true;

  constructor(socket: Socket, env: ConnectionEnv) {
    this.peer = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
    this.#socket = socket;
    this.#env = env;
    this.#session = new UsbipSession({
      clock: env.clock,
      list: () => env.list(),
      take: (busid) => env.take(busid),
      send: (bytes) => {
        if (!socket.write(bytes)) socket.pause();
      },
      finish: () => socket.end(),
      fail: (reason) => this.#fail(reason),
    });
    this.#cancelTimeout = env.clock.after(REQUEST_MS, () => {
      if (this.#session.exported === undefined) this.#fail(`no stick was asked for within ${REQUEST_MS / 1_000} s`);
    });
    socket.on("drain", () => socket.resume());
    socket.on("data", (chunk: Uint8Array) => this.#session.receive(chunk));
    socket.on("error", (error) => env.log.write("debug", `USB/IP: ${this.peer}: ${error.message}`));
    socket.on("end", () => {
      if (this.#session.exported !== undefined) this.close(); // so that the stick is free when the peer sees our end of it
    });
    socket.on("close", () => this.close());
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cancelTimeout();
    this.#socket.destroy();
    this.#session.close();
    this.#env.closed();
  }

  #fail(reason: string): void {
    this.#env.log.write("warn", `USB/IP: the connection of ${this.peer} was closed: ${reason}`);
    // Not at once: this is called while the session handles what it got.
    this.#socket.destroy();
  }
}

function listedDevice(busid: string, devnum: number, device: UsbDevice): ListedDevice {
  const { device: about, configuration } = device.descriptors;
  const { idVendor, idProduct, bcdDevice, bDeviceClass, bDeviceSubClass, bDeviceProtocol, bNumConfigurations } = about;
  const busnum = Number.parseInt(busid, 10);
  return {
    device: {
      path: `/sys/devices/platform/fobnail/usb${busnum}/${busid}`,
      busid,
      busnum,
      devnum,
      speed: UsbSpeed.Full,
      idVendor,
      idProduct,
      bcdDevice,
      bDeviceClass,
      bDeviceSubClass,
      bDeviceProtocol,
      bConfigurationValue: configuration.descriptor.bConfigurationValue,
      bNumConfigurations,
      bNumInterfaces: configuration.interfaces.length,
    },
    interfaces: configuration.interfaces.map(({ descriptor }) => ({
      bInterfaceClass: descriptor.bInterfaceClass,
      bInterfaceSubClass: descriptor.bInterfaceSubClass,
      bInterfaceProtocol: descriptor.bInterfaceProtocol,
      padding: 0,
    })),
  };
}

function sayProblem({ code, message }: NodeJS.ErrnoException): string {
  if (code === "EADDRINUSE") return "it is taken by another program";
  if (code === "EADDRNOTAVAIL") return "no interface of this machine has that address";
  return code === "EACCES" ? "not without more rights" : message;
}
