import { createConnection, type NetConnectOpts, type Socket } from "node:net";
import { concat } from "../../shared/bytes/index.ts";
import { TpmUnreachable } from "../../shared/tpm/index.ts";

/** A TCP port or a UNIX socket. */
export type StreamAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export function describeAddress(address: StreamAddress): string {
  return "path" in address ? address.path : `${address.host}:${address.port}`;
}

export interface StreamLimits {
  readonly connectMs: number;
  readonly answerMs: number;
  /** Exchanges that may wait for their turn. */
  readonly waiting: number;
}

const DEFAULT_LIMITS: StreamLimits = { connectMs: 5_000, answerMs: 60_000, waiting: 64 };

/** How long the answer is: undefined until enough of it is there to tell. Throws TpmUnreachable when it cannot be one. */
export type AnswerSize = (received: Uint8Array) => number | undefined;

function gone(socket: Socket, why: Error): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.destroy(why);
  });
}

/**
 * Requests and answers over a stream, one at a time, in order. Connects when needed; a connection that broke, or whose answer
 * did not come whole, is not used again. A request is never sent twice.
 */
export class StreamChannel {
  readonly #address: StreamAddress;
  readonly #limits: StreamLimits;
  #socket: Socket | undefined;
  #connecting: Socket | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(address: StreamAddress, limits: Partial<StreamLimits> = {}) {
    this.#address = address;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Resolves once connected. Rejects with TpmUnreachable. */
  async connect(): Promise<void> {
    await this.#inTurn(() => this.#connected());
  }

  /** Rejects with TpmUnreachable, or with the signal's reason; the answer of an abandoned request is discarded with its connection. */
  exchange(request: Uint8Array, size: AnswerSize, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      signal?.throwIfAborted();
      const socket = await this.#connected();
      try {
        return await this.#ask(socket, request, size, signal);
      } catch (error) {
        this.#drop(socket);
        throw error;
      }
    });
  }

  /** Resolves once no connection is left. What waits, for a connection too, rejects with TpmUnreachable. */
  async close(): Promise<void> {
    this.#closed = true;
    const sockets = [this.#socket, this.#connecting];
    this.#socket = undefined;
    this.#connecting = undefined;
    await Promise.all(sockets.map((socket) => socket && gone(socket, new Error("the channel is closed"))));
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#limits.waiting) throw this.#unreachable("too many requests are waiting");
    this.#waiting++;
    const turn = this.#last.then(run);
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  #connected(): Promise<Socket> {
    if (this.#closed) return Promise.reject(this.#unreachable("the channel is closed"));
    const open = this.#socket;
    if (open !== undefined && !open.destroyed && open.writable) return Promise.resolve(open);
    return new Promise((resolve, reject) => {
      const options: NetConnectOpts = { ...this.#address, noDelay: true };
      const socket = createConnection(options);
      const timer = setTimeout(() => socket.destroy(new Error("no connection in time")), this.#limits.connectMs);
      this.#connecting = socket;
      const settled = () => {
        clearTimeout(timer);
        if (this.#connecting === socket) this.#connecting = undefined;
      };
      const failed = (error: Error) => {
        settled();
        reject(this.#unreachable(error.message, error));
      };
      socket.once("error", failed);
      socket.once("connect", () => {
        settled();
        socket.off("error", failed);
        // An idle connection that breaks is dropped here; the next request opens another.
        socket.on("error", () => this.#drop(socket));
        socket.once("end", () => this.#drop(socket));
        this.#socket = socket;
        resolve(socket);
      });
    });
  }

  #ask(socket: Socket, request: Uint8Array, size: AnswerSize, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const received: Uint8Array[] = [];
      const done = (end: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        socket.off("data", onData);
        socket.off("close", onClose);
        end();
      };
      const fail = (error: unknown) => done(() => reject(error));
      const onClose = () => fail(this.#unreachable("the connection broke before the answer"));
      const onAbort = () => fail(signal?.reason);
      const onData = (chunk: Uint8Array) => {
        received.push(chunk);
        try {
          const answer = this.#whole(concat(...received), size);
          if (answer !== undefined) done(() => resolve(answer));
        } catch (error) {
          fail(error);
        }
      };
      const timer = setTimeout(() => fail(this.#unreachable("no answer in time")), this.#limits.answerMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      socket.on("data", onData);
      socket.once("close", onClose);
      socket.write(request);
    });
  }

  /** The answer once it is complete. More than one answer means that the two sides no longer agree. */
  #whole(received: Uint8Array, size: AnswerSize): Uint8Array | undefined {
    const wanted = size(received);
    if (wanted === undefined || received.byteLength < wanted) return undefined;
    if (received.byteLength > wanted) throw this.#unreachable("more bytes came than one answer has");
    return received;
  }

  #drop(socket: Socket): void {
    socket.destroy();
    if (this.#socket === socket) this.#socket = undefined;
  }

  #unreachable(problem: string, cause?: unknown): TpmUnreachable {
    return new TpmUnreachable(`TPM at ${describeAddress(this.#address)} not reached: ${problem}`, { cause });
  }
}
