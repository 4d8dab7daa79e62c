import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { createMemoryUsbHost } from "../../hw/usb-host/memory.ts";
import { createHost } from "../../shared/net/index.ts";
import type { Log, Peer } from "../../shared/ports/index.ts";
import { ATTESTER_PEER, type Token } from "../token.ts";
import { bindFor } from "./address.ts";
import { relay } from "./relay.ts";

/** The emulated computer's network card: a locally administered address. */
const COMPUTER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x08);
/** Where the emulated computer takes what is for the owner, when that is another program than the attester. */
export const INSIDE_OWNER_PORT = 5684;

/** How the token reaches programs on this machine. */
export interface Link {
  plug(): void;
  unplug(): void;
  close(): Promise<void>;
}

export interface Programs {
  readonly attester: Peer;
  readonly owner: Peer;
}

export function samePeer(a: Peer, b: Peer): boolean {
  return a.address === b.address && a.port === b.port;
}

/** An ordinary UDP socket in the place of the stick's whole link. */
export async function openUdpLink(token: Token, { attester }: Programs, log: Log): Promise<Link> {
  const port = await openUdpPort(bindFor(attester), 0, log);
  let unplug: () => void = () => undefined;
  return {
    plug() {
      unplug = token.serve(port);
    },
    unplug: () => unplug(),
    async close() {
      unplug();
      await port.close();
    },
  };
}

/** The stick's own link: USB, EEM, Ethernet, IP, up to an emulated computer that passes datagrams on to real programs. */
export async function openUsbLink(token: Token, programs: Programs, log: Log): Promise<Link> {
  const { attester, owner } = programs;
  const bus = createMemoryUsbHost(token.usb);
  const { address, port } = ATTESTER_PEER;
  const computer = createHost({ link: bus.link, mac: COMPUTER_MAC, address, clock: realClock, log });
  const outside = [await openUdpPort(bindFor(attester), 0, log)];
  const ends = outside.map((socket) => relay(computer, port, socket, attester));
  if (!samePeer(attester, owner)) {
    const socket = await openUdpPort(bindFor(owner), 0, log);
    outside.push(socket);
    ends.push(relay(computer, INSIDE_OWNER_PORT, socket, owner));
  }
  return {
    plug: () => bus.plug(),
    unplug: () => bus.unplug(),
    async close() {
      bus.unplug();
      for (const end of ends) end();
      computer.close();
      await Promise.all(outside.map((socket) => socket.close()));
    },
  };
}
