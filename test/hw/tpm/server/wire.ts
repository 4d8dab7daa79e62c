/** One client of each of the two channels of a TPM server, swtpm's or ours: bytes in, bytes out. */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import type { StreamAddress } from "../../../../hw/tpm/stream-channel.ts";
import { fromHex, toHex } from "../../../../shared/bytes/index.ts";

const SILENCE_MS = 10_000;

export class Wire {
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#wake();
    });
    socket.on("error", () => undefined); // told by the close behind it
    socket.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async open(at: StreamAddress): Promise<Wire> {
    const socket = createConnection({ ...at });
    await once(socket, "connect");
    return new Wire(socket);
  }

  /** In one write, or as pieces. */
  send(hex: string, pieceBytes = Number.POSITIVE_INFINITY): void {
    const bytes = fromHex(hex) ?? new Uint8Array(0);
    const size = Math.min(pieceBytes, bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at += size) this.#socket.write(bytes.subarray(at, at + size));
  }

  /** The next `size` bytes, in hex; "closed" when the connection ended before. */
  async take(size: number): Promise<string> {
    const deadline = Date.now() + SILENCE_MS;
    for (;;) {
      const all = Buffer.concat(this.#received);
      if (all.byteLength >= size) {
        this.#received.splice(0, this.#received.length, all.subarray(size));
        return toHex(all.subarray(0, size));
      }
      if (this.#closed) return "closed";
      await this.#something(deadline);
    }
  }

  /** A whole response, as its header says. */
  async response(): Promise<string> {
    const header = await this.take(10);
    if (header === "closed") return header;
    return header + (await this.take(Number.parseInt(header.slice(4, 12), 16) - 10));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#socket.destroy();
    await once(this.#socket, "close");
  }

  #something(deadline: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nothing came")), deadline - Date.now());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
