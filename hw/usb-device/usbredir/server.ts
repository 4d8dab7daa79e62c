import { existsSync, lstatSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Clock, Log } from "../../../shared/ports/index.ts";
import type { UsbDevice } from "../../../shared/usb/index.ts";
import { RedirSession } from "./session.ts";

/** A UNIX socket, or a TCP port; 0 lets the system choose. */
export type UsbredirAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export interface UsbredirServerOptions {
  readonly listen: UsbredirAddress;
  readonly device: UsbDevice;
  readonly clock: Clock;
  readonly log: Log;
}

/** A machine that was switched off says nothing: TCP finds out. */
const KEEP_ALIVE_MS = 10_000;

/** A device that one virtual machine at a time may have. It begins unplugged. */
export interface UsbredirServer {
  readonly local: UsbredirAddress;
  /** Shows the device to the virtual machine that is connected, or that will be. */
  plug(): void;
  /** Takes it away; the connection stays. */
  unplug(): void;
  close(): Promise<void>;
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken by another program",
  EADDRNOTAVAIL: "cannot be had: no interface of this machine has that address",
  EACCES: "cannot be had without more rights",
};

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
  #session: RedirSession | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #ignoreReady: () => void;
  #plugged = false;

  constructor(options: UsbredirServerOptions) {
    this.#options = options;
    const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    this.#server = createServer(tcp, (socket) => this.#connected(socket));
    this.#ignoreReady = options.device.onInReady(() => this.#session?.deviceReady());
  }

  async listen(): Promise<void> {
    const { listen, log } = this.#options;
    try {
      await listenAt(this.#server, listen);
    } catch (error) {
      this.#ignoreReady();
      throw refusal(listen, error);
    }
    this.#server.on("error", (error) => log.write("warn", `usbredir: ${error.message}`));
  }

  get local(): UsbredirAddress {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") return this.#options.listen;
    return { host: bound.address, port: bound.port };
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

function listenOnce(server: Server, at: UsbredirAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** A UNIX socket that a program left behind when it was killed is taken over. */
async function listenAt(server: Server, at: UsbredirAddress): Promise<void> {
  try {
    await listenOnce(server, at);
  } catch (error) {
    if (!("path" in at) || codeOf(error) !== "EADDRINUSE" || !(await isLeftBehind(at.path))) throw error;
    rmSync(at.path, { force: true });
    await listenOnce(server, at);
  }
}

function isLeftBehind(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function refusal(at: UsbredirAddress, error: unknown): Error {
  const where = "path" in at ? at.path : `TCP port ${at.port} of ${at.host}`;
  const known = "path" in at ? pathProblem(at.path) : undefined;
  const problem =
    known ?? PROBLEMS[codeOf(error)] ?? `cannot be had: ${error instanceof Error ? error.message : String(error)}`;
  return new Error(`${where} ${problem} (${codeOf(error) || "no code"})`, { cause: error });
}

/** What the system calls in use, or says EACCES to; undefined when it is a socket, or nothing is there. */
function pathProblem(path: string): string | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory() === true) return "is a folder: a socket needs a name in it";
  if (there !== undefined && !there.isSocket()) return "is a file and no socket: remove it, or choose another name";
  return there === undefined && !existsSync(dirname(path)) ? "cannot be had: its folder does not exist" : undefined;
}
