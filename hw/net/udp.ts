import { createSocket, type Socket } from "node:dgram";
import { isIPv4 } from "node:net";
import type { DatagramPort, Log } from "../../shared/ports/index.ts";

const PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken by another program",
  EADDRNOTAVAIL: "cannot be had: no interface of this machine has that address",
  EACCES: "cannot be had without more rights",
};

/**
 * A UDP socket of this machine; port 0 lets the system choose. Rejects with a sentence that names address and port. Errors
 * after that, such as a peer's port being closed (ECONNREFUSED), are lost datagrams: logged, never thrown.
 */
export async function openUdpPort(bindAddress: string, port: number, log?: Log): Promise<DatagramPort> {
  if (!isIPv4(bindAddress)) throw new RangeError(`"${bindAddress}" is not a dotted IPv4 address`);
  // Addresses are never names here: no resolver is asked.
  const socket = createSocket({ type: "udp4", lookup: (host, _options, done) => done(null, host, 4) });
  await bind(socket, bindAddress, port);
  socket.on("error", (error) => log?.write("debug", "UDP socket error", { error: error.message }));
  return portOver(socket, log);
}

function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const problem = PROBLEMS[error.code ?? ""] ?? `cannot be had: ${error.message}`;
      reject(new Error(`UDP port ${port} of ${address} ${problem} (${error.code ?? "no code"})`, { cause: error }));
      socket.close();
    };
    socket.once("error", failed);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", failed);
      resolve();
    });
  });
}

function portOver(socket: Socket, log: Log | undefined): DatagramPort {
  const { address, port } = socket.address();
  let open = true;
  let lastChecked = address;
  const tell = log === undefined ? undefined : teller(log);
  return {
    local: { address, port },
    send(datagram, to) {
      if (to.address !== lastChecked && !isIPv4(to.address))
        throw new RangeError(`"${to.address}" is not a dotted IPv4 address`);
      lastChecked = to.address;
      if (!open || to.port === 0) return; // nobody listens at port 0
      socket.send(datagram, to.port, to.address, tell);
    },
    onDatagram(listener) {
      const deliver = (data: Buffer, from: { readonly address: string; readonly port: number }) => {
        // a view: Node makes a buffer for each datagram and lets go of it
        listener(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), {
          address: from.address,
          port: from.port,
        });
      };
      socket.on("message", deliver);
      return () => {
        socket.off("message", deliver);
      };
    },
    close() {
      if (!open) return Promise.resolve();
      open = false;
      return new Promise((resolve) => {
        socket.close(() => resolve());
      });
    },
  };
}

/** One for all datagrams: the error names the address. Node calls it for each, behind a queue; so without a log there is none. */
function teller(log: Log): (error: Error | null) => void {
  return (error) => {
    if (error !== null) log.write("debug", "UDP datagram not sent", { error: error.message });
  };
}
