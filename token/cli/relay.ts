import type { Host } from "../../shared/net/index.ts";
import type { DatagramPort, Peer } from "../../shared/ports/index.ts";

/**
 * Passes datagrams on between a UDP port of the emulated computer and a program elsewhere: what arrives at `inside` goes out
 * of `outside` to `program`, and what `program` answers goes back to whom spoke last. Returns how to end it.
 */
export function relay(host: Host, insidePort: number, outside: DatagramPort, program: Peer): () => void {
  const inside = host.udp(insidePort);
  let asker: Peer | undefined;
  const ends = [
    inside.onDatagram((datagram, from) => {
      asker = from;
      outside.send(datagram, program);
    }),
    outside.onDatagram((datagram, from) => {
      const expected = from.address === program.address && from.port === program.port;
      if (expected && asker !== undefined) inside.send(datagram, asker);
    }),
  ];
  return () => {
    for (const end of ends) end();
    void inside.close();
  };
}
