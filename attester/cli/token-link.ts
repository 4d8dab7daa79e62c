import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import type { UsbSpec } from "../../hw/usb-host/spec.ts";
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
import type { StickNetwork } from "./stick-network.ts";
import { type LinkOptions, openUsbNetwork } from "./usb-link.ts";

/** Where the stick is on its own link, and what --token is without a text. */
export const DEFAULT_TOKEN: Peer = { address: V1_TOKEN_ADDRESS, port: V1_PORT };

/**
 * The link is a cable's length: an answer that is not there in a second is lost, or its token is busy with a chain of certificates. After three
 * sendings (7 to 10.5 s) nobody is there.
 */
const TRANSMISSION: Partial<Transmission> = { ackTimeoutMs: 1_000, maxRetransmit: 2, responseTimeoutMs: 15_000 };

/** After which a person is told what is waited for. */
const PATIENCE_MS = 1_000;

/** Which token a program speaks to. */
export interface TokenPlace {
  readonly token: Peer;
  /** Over USB, driven by this program; `token` is of no meaning then. */
  readonly usb?: UsbSpec;
}

export interface TokenLink {
  readonly endpoint: CoapEndpoint;
  readonly wire: TokenWire;
  readonly token: Peer;
  /** How often a stick was taken; 0 over UDP, where that is not seen. */
  plugs(): number;
  /** Gives the stick back, where there is one. */
  close(): Promise<void>;
}

/** A UDP port of this machine, or of a stick's network in this process. */
interface Way {
  readonly port: DatagramPort;
  readonly token: Peer;
  readonly stick?: StickNetwork;
  close(): Promise<void>;
}

/** Asks one token; names are looked up, sticks are taken. Rejects with Stop. Nothing is sent to the token yet. */
export async function openTokenLink(place: TokenPlace, log: Log, options: LinkOptions = {}): Promise<TokenLink> {
  const { usb } = place;
  const {
    port,
    token,
    stick,
    close: leave,
  } = await (usb === undefined ? udpWay(place, log) : usbWay(usb, log, options));
  const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom, log, transmission: TRANSMISSION });
  const reached = stick === undefined ? endpoint : whilePlugged(endpoint, stick);
  const wire = createTokenWire({ endpoint: saying(reached, log), token, log });
  const close = () => {
    endpoint.close();
    return leave();
  };
  return { endpoint, wire, token, plugs: () => stick?.plugs ?? 0, close };
}

async function udpWay({ token: named }: TokenPlace, log: Log): Promise<Way> {
  const token = await resolvePeer(named);
  if (token === undefined) throw new Stop(Exit.Usage, `--token ${named.address}: no IPv4 address has that name`);
  const port = await openPort(bindFor(token), log);
  return { port, token, close: () => port.close() };
}

async function usbWay(usb: UsbSpec, log: Log, options: LinkOptions): Promise<Way> {
  const stick = await openUsbNetwork(usb, log, options);
  return { port: stick.udp(), token: DEFAULT_TOKEN, stick, close: () => stick.close() };
}

/** Nobody waits for an answer of a stick that is not there. */
function whilePlugged(endpoint: CoapEndpoint, stick: StickNetwork): WireEndpoint {
  const during = async <T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    if (stick.absence !== undefined) throw new TokenSilent(stick.absence);
    const gone = new AbortController();
    const forget = stick.onGone(() => gone.abort());
    try {
      return await ask(gone.signal);
    } catch (error) {
      if (stick.absence === undefined) throw error;
      throw new TokenSilent(stick.absence, { cause: error });
    } finally {
      forget();
    }
  };
  return {
    request: (to, request) => during((signal) => endpoint.request(to, { ...request, signal })),
    ping: (to, transmission) => during(() => endpoint.ping(to, transmission)),
  };
}

async function openPort(bind: string, log: Log): Promise<DatagramPort> {
  try {
    return await openUdpPort(bind, 0, log);
  } catch (error) {
    throw new Stop(Exit.Unreached, error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Tells of requests that take their time. */
function saying(endpoint: WireEndpoint, log: Log): WireEndpoint {
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
