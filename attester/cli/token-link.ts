import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { type CoapEndpoint, createEndpoint, type Transmission } from "../../shared/coap/index.ts";
import type { DatagramPort, Log, Peer } from "../../shared/ports/index.ts";
import { V1_PORT, V1_TOKEN_ADDRESS } from "../../shared/protocol/index.ts";
import { bindFor, resolvePeer } from "../../token/cli/address.ts";
import {
  createTokenWire,
  TokenAnswerError,
  TokenRefused,
  TokenSilent,
  type TokenWire,
  type WireEndpoint,
} from "../flows/token-wire.ts";
import { Exit, Stop } from "./exit.ts";

/** Where the stick is on its own link, and what --token is without a text. */
export const DEFAULT_TOKEN: Peer = { address: V1_TOKEN_ADDRESS, port: V1_PORT };

/**
 * The link is a cable's length: an answer that is not there in a second is lost, or its token is busy with a chain of certificates. After three
 * sendings (7 to 10.5 s) nobody is there.
 */
const TRANSMISSION: Partial<Transmission> = { ackTimeoutMs: 1_000, maxRetransmit: 2, responseTimeoutMs: 15_000 };

/** After which a person is told what is waited for. */
const PATIENCE_MS = 1_000;

export interface TokenLink {
  readonly endpoint: CoapEndpoint;
  readonly wire: TokenWire;
  readonly token: Peer;
  close(): Promise<void>;
}

/** A UDP port of this machine that asks one token; names are looked up. Rejects with Stop. Nothing is sent yet. */
export async function openTokenLink(token: Peer, log: Log): Promise<TokenLink> {
  const peer = await resolvePeer(token);
  if (peer === undefined) throw new Stop(Exit.Usage, `--token ${token.address}: no IPv4 address has that name`);
  const port = await openPort(bindFor(peer), log);
  const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom, log, transmission: TRANSMISSION });
  const wire = createTokenWire({ endpoint: saying(endpoint, log), token: peer, log });
  const close = () => {
    endpoint.close();
    return port.close();
  };
  return { endpoint, wire, token: peer, close };
}

async function openPort(bind: string, log: Log): Promise<DatagramPort> {
  try {
    return await openUdpPort(bind, 0, log);
  } catch (error) {
    throw new Stop(Exit.Unreached, error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Tells of requests that take their time. */
function saying(endpoint: CoapEndpoint, log: Log): WireEndpoint {
  return {
    async request(to, request) {
      const stop = realClock.after(PATIENCE_MS, () => {
        log.write("info", `Waiting for the token at ${to.address}:${to.port} ...`);
      });
      try {
        return await endpoint.request(to, request);
      } finally {
        stop();
      }
    },
    ping: (to, transmission) => endpoint.ping(to, transmission),
  };
}

/** Errors of a wire as Stop with the exit code that belongs to them; any other error as it is. */
export function tokenStop(error: unknown): unknown {
  if (error instanceof TokenSilent) return new Stop(Exit.Unreached, error.message, { cause: error });
  if (error instanceof TokenRefused || error instanceof TokenAnswerError) {
    return new Stop(Exit.Refused, error.message, { cause: error });
  }
  return error;
}
