import type { Token } from "../../token/token.ts";

/** 2,048 messages of two kilobytes at most, as many replies, and the unused ends of the arrays in which they lie. */
const REMEMBERED_BYTES = 2 * 2_048 * 2_048 * 1.25;

/** What a token may hold of each at most. Said here once more, so that a bound that is changed there, or not kept, shows. */
const AT_MOST: Readonly<Record<string, number>> = {
  sessions: 32,
  "objects of a session": 8,
  "grants of a session": 8,
  peers: 256,
  "bytes of remembered messages": REMEMBERED_BYTES,
  "running requests": 64,
  "open requests": 64,
  /** Separate responses, of which each is a running request; own requests; a ping for each session, and one that is just given up. */
  "messages under way": 64 + 64 + 2 * 32,
  arrivals: 256,
  uploads: 16,
  "bytes of uploads": 16 * 65_536,
  downloads: 16,
  neighbours: 32,
  "neighbours asked for": 16,
  "packets for a neighbour": 8,
  "packets for the bus": 64,
  /** The length of an EEM packet has 14 bits, behind two bytes of header. */
  "bytes of a packet from the bus": 0x3fff + 2,
};

/** What is over its bound; undefined when nothing is. */
export function overfull(token: Token): string | undefined {
  for (const [what, count] of Object.entries(token.holdings())) {
    const most = AT_MOST[what];
    if (most === undefined) return `nobody said how much there may be of ${what}`;
    if (count > most) return `${what}: ${count}, ${most} at most`;
  }
  return undefined;
}
