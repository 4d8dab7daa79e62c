import { connect, type Socket } from "node:net";
import { CodecError, concat, decode, encode } from "../../shared/bytes/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import { realClock } from "../clock/real.ts";
import {
  OpCode,
  OpRepImport,
  OpRequest,
  OpStatus,
  opReplyBytes,
  type UsbipDevice,
  VERSION,
} from "../usb-device/usbip/index.ts";

/** A device of a USB/IP server that is ours, and the connection that its transfers are to go over. */
export interface Imported {
  readonly device: UsbipDevice;
  /** The socket's; nothing was read behind the answer. */
  readonly fd: number;
  /** Closes our descriptor. The connection ends, unless somebody else has it, too. */
  close(): void;
}

/** unreached: there is no such server, or it does not answer. absent: no such device there, or in use. */
export class ImportError extends Error {
  override readonly name = "ImportError";
  readonly reason: "unreached" | "absent";

  constructor(reason: ImportError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface ImportFrom {
  readonly host: string;
  readonly port: number;
  readonly busid: string;
  /** Default the machine's. */
  readonly clock?: Clock;
}

const ANSWER_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const BUFFER_BYTES = 4_096;

const REFUSALS: Readonly<Record<number, string>> = {
  [OpStatus.NotAvailable]: "it is not there, or in use",
  [OpStatus.Busy]: "it is in use by somebody else",
  [OpStatus.NoDevice]: "it is not there",
};

/** OP_REQ_IMPORT, for the kernel to go on with. Rejects with ImportError. */
export function importStick({ host, port, busid, clock = realClock }: ImportFrom): Promise<Imported> {
  const server = `The USB/IP server ${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    let received: Uint8Array = new Uint8Array(0);
    /** Whether reading goes on. Node stops it at once for `false`: what follows is for the kernel. */
    const take = (size: number, buffer: Uint8Array): boolean => {
      received = concat(received, buffer.subarray(0, size));
      try {
        const wanted = opReplyBytes(received);
        if (received.byteLength < wanted) return true;
        const { reply } = decode(OpRepImport, received);
        if (reply.status !== OpStatus.Ok) {
          fail("absent", `does not give ${busid}: ${REFUSALS[reply.status] ?? `status ${reply.status}`}`);
        } else {
          cancel();
          for (const event of ["close", "error"]) socket.removeAllListeners(event);
          socket.on("error", () => socket.destroy());
          resolve({ device: reply.device, fd: descriptorOf(socket), close: () => void socket.destroy() });
        }
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
        fail("unreached", `speaks something else than USB/IP 1.1.1: ${error.message}`, error);
      }
      return false;
    };
    const socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      onread: { buffer: Buffer.alloc(BUFFER_BYTES), callback: take },
    });
    const fail = (reason: ImportError["reason"], problem: string, cause?: unknown) => {
      cancel();
      socket.destroy();
      reject(new ImportError(reason, `${server} ${problem}`, { cause }));
    };
    // For all of it: a server may send byte by byte.
    const cancel = clock.after(ANSWER_MS, () => fail("unreached", `did not answer within ${ANSWER_MS / 1_000} s`));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const silent = error.code === "ECONNREFUSED" ? "is not running: nothing listens there" : undefined;
      fail("unreached", silent ?? `is not reached: ${error.message}`, error);
    });
    socket.on("close", () => fail("unreached", "closed the connection without an answer"));
    socket.on("connect", () => {
      socket.write(encode(OpRequest, { version: VERSION, request: { code: OpCode.ReqImport, status: 0, busid } }));
    });
  });
}

/** Node has no public name for it. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof fd !== "number" || fd < 0) throw new Error("this Node does not tell a socket's descriptor");
  return fd;
}
