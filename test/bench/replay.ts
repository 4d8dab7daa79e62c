/** Recorded exchanges, played to another token that must answer them as the first one did. */
import { openUdpPort } from "../../hw/net/udp.ts";
import { equal } from "../../shared/bytes/index.ts";
import type { DatagramPort, Peer } from "../../shared/ports/index.ts";
import { type DirectToken, type Exchange, strictToken, type TokenParts } from "./prepared.ts";

const LOOPBACK = "127.0.0.1";

export interface Player {
  /** Rejects when an answer is not byte for byte the recorded one: then it is no attestation. */
  play(exchanges: readonly Exchange[]): Promise<void>;
  close(): Promise<void>;
}

function compare(answer: Uint8Array, { reply }: Exchange): void {
  if (!equal(answer, reply)) throw new Error("the token answers otherwise than it did");
}

export function playDirectly(token: DirectToken): Player {
  return {
    async play(exchanges) {
      for (const exchange of exchanges) compare(token.ask(exchange.request, exchange.from), exchange);
    },
    close: async () => token.stop(),
  };
}

/** Over sockets of the loopback; who had a port of its own in the record has a socket of its own. */
export async function playOverUdp(parts: TokenParts): Promise<Player> {
  const token = strictToken(parts);
  const port = await openUdpPort(LOOPBACK, 0);
  const unserve = token.serve(port);
  const clients = new Map<number, UdpClient>();
  const clientFor = async (number: number): Promise<UdpClient> => {
    const client = clients.get(number) ?? new UdpClient(await openUdpPort(LOOPBACK, 0), port.local);
    clients.set(number, client);
    return client;
  };
  return {
    async play(exchanges) {
      for (const exchange of exchanges) {
        const client = clients.get(exchange.from.port) ?? (await clientFor(exchange.from.port));
        compare(await client.ask(exchange.request), exchange);
      }
    },
    async close() {
      unserve();
      token.stop();
      for (const client of clients.values()) await client.close();
      await port.close();
    },
  };
}

/** Asks one thing after the other. */
class UdpClient {
  readonly #port: DatagramPort;
  readonly #token: Peer;
  #answered: (answer: Uint8Array) => void = () => undefined;

  constructor(port: DatagramPort, token: Peer) {
    this.#port = port;
    this.#token = token;
    port.onDatagram((answer) => this.#answered(answer));
  }

  ask(request: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#port.send(request, this.#token);
    });
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}
