import { VirtualClock } from "../../hw/clock/virtual.ts";
import {
  type CoapEndpoint,
  type CoapMessage,
  createEndpoint,
  decodeMessage,
  type EndpointOptions,
  encodeMessage,
  MessageType,
  NO_BYTES,
  NO_OPTIONS,
} from "../../shared/coap/index.ts";
import type { DatagramPort, Log, Peer } from "../../shared/ports/index.ts";
import { DatagramNet } from "./datagram-net.ts";
import { seededRandom } from "./random.ts";

export const SERVER: Peer = { address: "10.0.0.1", port: 5683 };
export const CLIENT: Peer = { address: "10.0.0.2", port: 40_000 };

type Settings = Partial<Pick<EndpointOptions, "limits" | "transmission" | "onHeard">>;

/** Log lines of a test; a line of level error is a bug somewhere. */
export class TestLog implements Log {
  readonly lines: string[] = [];

  write(level: string, message: string): void {
    this.lines.push(`${level}: ${message}`);
  }
}

/** A server and a client on a net in memory under a virtual clock. */
export class CoapPair {
  readonly clock = new VirtualClock();
  readonly net: DatagramNet;
  readonly log = new TestLog();
  readonly server: CoapEndpoint;
  readonly client: CoapEndpoint;

  constructor(options: { server?: Settings; client?: Settings; synchronous?: boolean; seed?: number } = {}) {
    this.net = new DatagramNet(options.synchronous === true ? undefined : this.clock);
    const { clock, log } = this;
    const seed = options.seed ?? 1;
    this.server = createEndpoint({
      port: this.net.open(SERVER.address, SERVER.port),
      clock,
      log,
      random: seededRandom(seed, "server"),
      ...options.server,
    });
    this.client = createEndpoint({
      port: this.net.open(CLIENT.address, CLIENT.port),
      clock,
      log,
      random: seededRandom(seed, "client"),
      ...options.client,
    });
  }

  /** The messages sent so far, each side's in order. */
  messages(from?: Peer): readonly CoapMessage[] {
    return this.net.sent
      .filter((sent) => from === undefined || (sent.from.address === from.address && sent.from.port === from.port))
      .map((sent) => decodeMessage(sent.datagram));
  }
}

/** A peer that is written out message by message. */
export class RawPeer {
  readonly received: CoapMessage[] = [];
  readonly #port: DatagramPort;
  readonly #to: Peer;
  onMessage: (message: CoapMessage) => void = () => undefined;

  constructor(net: DatagramNet, local: Peer, to: Peer) {
    this.#port = net.open(local.address, local.port);
    this.#to = to;
    this.#port.onDatagram((datagram) => {
      const message = decodeMessage(datagram);
      this.received.push(message);
      this.onMessage(message);
    });
  }

  send(fields: Partial<CoapMessage> & { readonly code: number; readonly messageId: number }): void {
    this.sendBytes(
      encodeMessage({ type: MessageType.Con, coapToken: NO_BYTES, options: NO_OPTIONS, payload: NO_BYTES, ...fields }),
    );
  }

  sendBytes(datagram: Uint8Array): void {
    this.#port.send(datagram, this.#to);
  }

  take(): CoapMessage | undefined {
    return this.received.shift();
  }
}
