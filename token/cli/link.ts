import { realClock } from "../../hw/clock/real.ts";
import type { Capture } from "../../hw/net/capture.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { createMemoryUsbHost } from "../../hw/usb-host/memory.ts";
import { createHost } from "../../shared/net/index.ts";
import type { Log, Peer } from "../../shared/ports/index.ts";
import { V1_PORT, V1_TOKEN_ADDRESS } from "../../shared/protocol/index.ts";
import { ATTESTER_PEER, type Token } from "../token.ts";
import { bindFor } from "./address.ts";
import type { Reach } from "./reach.ts";
import { relay } from "./relay.ts";
import { MAX_LINES, Switchboard } from "./switchboard.ts";

/** The emulated computer's network card: a locally administered address. */
const COMPUTER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x08);
/** Where the emulated computer takes what is for the owner, when that is another program than the attester. */
export const INSIDE_OWNER_PORT = 5684;

/** Where one token is plugged in and unplugged. */
export interface Socket {
  plug(): void;
  unplug(): void;
}

/** How programs on this machine, or other machines, and the tokens of this process reach each other. All are unplugged at first. */
export interface Link {
  /** Where the tokens are reached, when that is to be told. */
  readonly reach?: Reach;
  /** For each token, in their order. */
  readonly sockets: readonly Socket[];
  /** Told once, when it cannot be used any more; why, as a sentence. */
  onLost?(listener: (why: string) => void): void;
  /** Unplugs. */
  close(): Promise<void>;
}

export interface LinkEnv {
  readonly log: Log;
  readonly capture?: Capture | undefined;
}

export interface Programs {
  readonly attester: Peer;
  readonly owner: Peer;
}

export function samePeer(a: Peer, b: Peer): boolean {
  return a.address === b.address && a.port === b.port;
}

/** API v0, an ordinary UDP socket in the place of the stick's whole link. */
export async function openUdpLink(token: Token, { attester }: Programs, env: LinkEnv): Promise<Link> {
  const { reach: _nobodyAsks, ...link } = await socketLink(token, bindFor(attester), 0, env);
  return link;
}

/** API v1, likewise. */
export async function openUdpService(token: Token, bind: string, port: number, env: LinkEnv): Promise<Link> {
  return socketLink(token, bind, port, env);
}

async function socketLink(token: Token, bind: string, portNumber: number, { log, capture }: LinkEnv): Promise<Link> {
  const socket = await openUdpPort(bind, portNumber, log);
  const port = capture?.wrapPort(socket, "udp") ?? socket;
  let unplug: () => void = () => undefined;
  return {
    reach: { type: "listening", ...port.local },
    sockets: [
      {
        plug() {
          unplug = token.serve(port);
        },
        unplug: () => unplug(),
      },
    ],
    async close() {
      unplug();
      await port.close();
    },
  };
}

/** An emulated computer with the stick in it. */
function emulatedComputer(token: Token, { log, capture }: LinkEnv, maxPorts?: number) {
  const bus = createMemoryUsbHost(capture?.wrapUsb(token.usb, "usb") ?? token.usb);
  const { address } = ATTESTER_PEER;
  const limits = maxPorts === undefined ? {} : { maxPorts };
  const computer = createHost({ link: bus.link, mac: COMPUTER_MAC, address, clock: realClock, log, limits });
  return { bus, computer };
}

/** API v0, the stick's own link: USB, EEM, Ethernet, IP, up to an emulated computer that passes datagrams on to real programs. */
export async function openUsbLink(token: Token, programs: Programs, env: LinkEnv): Promise<Link> {
  const { attester, owner } = programs;
  const { bus, computer } = emulatedComputer(token, env);
  const outside = [await openUdpPort(bindFor(attester), 0, env.log)];
  const ends = outside.map((socket) => relay(computer, ATTESTER_PEER.port, socket, attester));
  if (!samePeer(attester, owner)) {
    const socket = await openUdpPort(bindFor(owner), 0, env.log);
    outside.push(socket);
    ends.push(relay(computer, INSIDE_OWNER_PORT, socket, owner));
  }
  return {
    sockets: [bus],
    async close() {
      bus.unplug();
      for (const end of ends) end();
      computer.close();
      await Promise.all(outside.map((socket) => socket.close()));
    },
  };
}

/** API v1, likewise: what programs send to `bind` and `port`, the emulated computer sends to the stick. */
export async function openUsbService(token: Token, bind: string, port: number, env: LinkEnv): Promise<Link> {
  const outside = await openUdpPort(bind, port, env.log);
  const { bus, computer } = emulatedComputer(token, env, MAX_LINES);
  const asked: Peer = { address: V1_TOKEN_ADDRESS, port: V1_PORT };
  const switchboard = new Switchboard({ computer, outside, token: asked, clock: realClock });
  return {
    reach: { type: "listening", ...outside.local },
    sockets: [bus],
    async close() {
      bus.unplug();
      switchboard.close();
      computer.close();
      await outside.close();
    },
  };
}
