import { type CoapEndpoint, createEndpoint } from "../../shared/coap/index.ts";
import type { Clock, DatagramPort, Log, Peer, Random, Unsubscribe } from "../../shared/ports/index.ts";
import type { Domain } from "../domain/domain.ts";
import { createCall } from "./call.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { UNDERSTOOD } from "./options.ts";
import { errorOptions } from "./replies.ts";
import { createApi } from "./routes.ts";
import { type Door, SessionTable } from "./sessions.ts";

export interface ServerConfig {
  readonly domain: Domain;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<ServerLimits> | undefined;
}

/** The face of API v1: the computer asks, the token answers. */
export interface Server {
  /** Answers on this port until the returned function is called, which ends the sessions of the port. The port is the caller's to close. */
  serve(port: DatagramPort): Unsubscribe;
  /** Ends all sessions, as silence does. */
  endSessions(): void;
  /** How much each table and queue holds at present, by its name; where there are several of one kind, the fullest. */
  holdings(): Readonly<Record<string, number>>;
  readonly sessions: { readonly open: number; readonly attested: number };
}

/** One ping, not repeated: a second of silence later comes the next. */
const PING = { maxRetransmit: 0, ackTimeoutMs: 1_000, ackRandomFactor: 1 } as const;

export function createServer({ domain, clock, random, log, limits }: ServerConfig): Server {
  const api = createApi(domain.profile);
  const sessions = new SessionTable({
    clock,
    random,
    limits: { ...DEFAULT_LIMITS, ...limits },
    onAttestedCount: (count) => domain.tell({ type: "attested-sessions", count }),
  });
  domain.onEvent((event) => {
    if (event.type === "platform-removed") sessions.revoke(event.platform.id);
  });
  let doors = 0;
  const endpoints = new Set<CoapEndpoint>();

  return {
    serve(port) {
      const onHeard = (peer: Peer, ofItself: boolean): void => sessions.heard(door, peer, ofItself);
      const endpoint = createEndpoint({ port, clock, random, log, onHeard });
      const ping = (peer: Peer): void => void endpoint.ping(peer, PING).catch(ignoreSilence);
      const door: Door = {
        name: String(++doors),
        ping: domain.profile.pingsIdlePeers ? ping : undefined,
        forget: (peer) => endpoint.forget(peer),
        hold: (peer, as) => endpoint.hold(peer, as),
      };
      endpoint.serve((request) => api(request, createCall(domain, sessions, door, request)), {
        understands: UNDERSTOOD,
        errorOptions: errorOptions(domain.profile),
      });
      endpoints.add(endpoint);
      return () => {
        sessions.end(door);
        endpoints.delete(endpoint);
        endpoint.close();
      };
    },
    endSessions: () => sessions.end(),
    holdings() {
      const most: Record<string, number> = {};
      for (const part of [sessions, ...endpoints]) {
        for (const [what, count] of Object.entries(part.holdings())) most[what] = Math.max(most[what] ?? 0, count);
      }
      return most;
    },
    sessions,
  };
}

/** A peer that is silent loses its session by its own timer; one that answers was heard before this is known. */
function ignoreSilence(): void {
  // see above
}
