import { realClock } from "../../../hw/clock/real.ts";
import { openUdpPort } from "../../../hw/net/udp.ts";
import type { DatagramPort } from "../../../shared/ports/index.ts";

/** A datagram that has not arrived by then is lost: its port is closed, or the kernel had no room. */
const LOST_MS = 100;

/** UDP sockets of this machine that know what is on its way between them, so that virtual time need not pass meanwhile. */
export function loopbackPorts() {
  const open = new Set<DatagramPort>();
  let onTheWay = 0;
  let movedAt = 0;

  const counted = (port: DatagramPort): DatagramPort => ({
    local: port.local,
    send(datagram, to) {
      onTheWay++;
      movedAt = realClock.now();
      port.send(datagram, to);
    },
    onDatagram: (listener) =>
      port.onDatagram((datagram, from) => {
        listener(datagram, from);
      }),
    async close() {
      open.delete(port);
      await port.close();
    },
  });

  return {
    async open(): Promise<DatagramPort> {
      const port = await openUdpPort("127.0.0.1", 0);
      open.add(port);
      port.onDatagram(() => {
        onTheWay--;
        movedAt = realClock.now();
      });
      return counted(port);
    },
    /** Resolves when no datagram is under way. */
    async settle(): Promise<void> {
      await macrotask();
      while (onTheWay > 0) {
        if (realClock.now() - movedAt > LOST_MS) onTheWay = 0;
        await macrotask();
      }
    },
    async close(): Promise<void> {
      for (const port of open) await port.close();
    },
  };
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
