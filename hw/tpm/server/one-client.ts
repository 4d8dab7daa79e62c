import type { Socket } from "node:net";
import { CodecError } from "../../../shared/bytes/index.ts";
import type { Log } from "../../../shared/ports/index.ts";

/** As many connections may wait for the one before them to end. */
const MAX_WAITING = 16;

/** Gets what the client sends; throws CodecError when it cannot be read. */
export type Receive = (chunk: Uint8Array) => void;

/**
 * The connections of a channel that serves one client at a time; the next is read from when the one before it is gone. A client that
 * does not fetch its answers is not read from either. Connections come paused.
 */
export class OneClient {
  readonly #name: string;
  readonly #log: Log;
  readonly #serve: (socket: Socket) => Receive;
  readonly #sockets: Socket[] = [];
  #closed = false;

  constructor(name: string, log: Log, serve: (socket: Socket) => Receive) {
    this.#name = name;
    this.#log = log;
    this.#serve = serve;
  }

  accept(socket: Socket): void {
    if (this.#closed || this.#sockets.length > MAX_WAITING) {
      socket.destroy();
      return;
    }
    this.#sockets.push(socket);
    socket.on("error", (error) => this.#log.write("debug", `TPM ${this.#name} channel: ${error.message}`));
    socket.once("close", () => this.#gone(socket));
    if (this.#sockets[0] === socket) this.#begin(socket);
  }

  close(): void {
    this.#closed = true;
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  #begin(socket: Socket): void {
    const receive = this.#serve(socket);
    socket.on("drain", () => socket.resume());
    socket.on("data", (chunk: Uint8Array) => {
      try {
        receive(chunk);
        if (socket.writableNeedDrain) socket.pause();
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
        this.#log.write("warn", `TPM ${this.#name} channel: connection closed: ${error.message}`);
        socket.destroy();
      }
    });
    socket.resume();
  }

  #gone(socket: Socket): void {
    const wasServed = this.#sockets[0] === socket;
    this.#sockets.splice(this.#sockets.indexOf(socket), 1);
    const [next] = this.#sockets;
    if (wasServed && next !== undefined && !this.#closed) this.#begin(next);
  }
}
