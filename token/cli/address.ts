import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { InvalidArgumentError } from "commander";
import type { Peer } from "../../shared/ports/index.ts";

const COAP_PORT = 5683;
const MAX_PORT = 65_535;

/** `HOST`, `HOST:PORT`: an option's text, the name not yet looked up. Throws InvalidArgumentError. */
export function parseHostPort(text: string): Peer {
  const match = /^([^:\s]+)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? COAP_PORT : Number(match[2]);
  if (match?.[1] === undefined || port === 0 || port > MAX_PORT) {
    throw new InvalidArgumentError("HOST or HOST:PORT belongs here, such as 127.0.0.1:5683.");
  }
  return { address: match[1], port };
}

/** With the name looked up; undefined when it has no IPv4 address. */
export async function resolvePeer(peer: Peer): Promise<Peer | undefined> {
  if (isIPv4(peer.address)) return peer;
  try {
    const { address } = await lookup(peer.address, { family: 4 });
    return { address, port: peer.port };
  } catch {
    return undefined; // the caller has the sentence
  }
}

/** Where to bind so that datagrams to `peer` leave with an address it can answer to. */
export function bindFor(peer: Peer): string {
  return peer.address.startsWith("127.") ? "127.0.0.1" : "0.0.0.0";
}
