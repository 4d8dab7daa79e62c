import { openUdpPort } from "../../hw/net/udp.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import { readBlock } from "../../shared/coap/block-option.ts";
import { type CoapMessage, Code, decodeMessage, isRequest, OptionNumber } from "../../shared/coap/index.ts";
import type { DatagramPort, Peer } from "../../shared/ports/index.ts";

const LOOPBACK = "127.0.0.1";
const text = new TextDecoder();

/**
 * When to act: as a request, the n-th (from 1) or one with this path, comes for the first time, at one of its later blocks,
 * or when all of its answer came.
 */
export interface Moment {
  readonly request: number | string;
  readonly when: "asked" | "answered" | { readonly block: number };
}

/**
 * Stands between clients and a server of CoAP over UDP, passes everything on, and counts requests: a message id that was
 * not there before and no later block of a body that is under way. Retransmissions do not count. The server sees each
 * client at a port of its own.
 */
export class UdpGate {
  /** Path of each request, in order. */
  readonly asked: string[] = [];
  /** Sees each datagram before it goes on; false loses it. */
  passes: (from: "client" | "server", datagram: Uint8Array) => boolean = () => true;
  readonly #inside: DatagramPort;
  /** By the client's port. */
  readonly #outside = new Map<number, Promise<DatagramPort>>();
  readonly #known = new Set<string>();
  #server: Peer | undefined;
  #plan: { readonly moment: Moment; act(): void } | undefined;

  private constructor(inside: DatagramPort) {
    this.#inside = inside;
    inside.onDatagram((datagram, from) => void this.#fromClient(datagram.slice(), from));
  }

  static async open(): Promise<UdpGate> {
    return new UdpGate(await openUdpPort(LOOPBACK, 0));
  }

  /** Where clients send to: HOST:PORT. */
  get address(): string {
    return `${LOOPBACK}:${this.#inside.local.port}`;
  }

  /** Nothing passes before the first call, and nothing after a call without a port. */
  passTo(port: number | undefined): void {
    this.#server = port === undefined ? undefined : { address: LOOPBACK, port };
  }

  /** Resolves when the moment came; `act` runs at once, behind the datagram that was passed on. */
  at(moment: Moment, act: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#plan = {
        moment,
        act() {
          act();
          resolve();
        },
      };
    });
  }

  async close(): Promise<void> {
    await this.#inside.close();
    await Promise.all([...this.#outside.values()].map(async (port) => (await port).close()));
  }

  async #fromClient(datagram: Uint8Array, from: Peer): Promise<void> {
    const outside = await this.#portFor(from);
    if (this.#server === undefined || !this.passes("client", datagram)) return;
    outside.send(datagram, this.#server);
    const message = read(datagram);
    if (message === undefined || !isRequest(message.code)) return;
    const id = `${from.port} ${message.messageId}`;
    if (this.#known.has(id)) return;
    this.#known.add(id);
    const block = blockOf(message);
    if (block === 0) this.asked.push(pathOf(message));
    this.#reached(block === 0 ? "asked" : { block });
  }

  #portFor(client: Peer): Promise<DatagramPort> {
    const there = this.#outside.get(client.port);
    if (there !== undefined) return there;
    const opened = openUdpPort(LOOPBACK, 0).then((port) => {
      port.onDatagram((datagram, from) => this.#fromServer(datagram, from, client));
      return port;
    });
    this.#outside.set(client.port, opened);
    return opened;
  }

  #fromServer(datagram: Uint8Array, from: Peer, client: Peer): void {
    if (from.port !== this.#server?.port || !this.passes("server", datagram)) return;
    this.#inside.send(datagram, client);
    const message = read(datagram);
    // An acknowledgement, or the leave to go on with the next block: the answer is yet to come.
    if (message === undefined || message.code === Code.Empty || message.code === Code.Continue) return;
    const block = readBlock(message.options, OptionNumber.Block2);
    if (block === undefined || block === "malformed" || !block.more) this.#reached("answered");
  }

  #reached(when: Moment["when"]): void {
    const plan = this.#plan;
    if (plan === undefined) return;
    const { request } = plan.moment;
    if (request !== (typeof request === "string" ? this.asked.at(-1) : this.asked.length)) return;
    if (JSON.stringify(plan.moment.when) !== JSON.stringify(when)) return;
    this.#plan = undefined;
    plan.act();
  }
}

function read(datagram: Uint8Array): CoapMessage | undefined {
  try {
    return decodeMessage(datagram);
  } catch (error) {
    if (error instanceof CodecError) return undefined; // passed on, not counted
    throw error;
  }
}

/** The number of the block that is asked for or sent, whichever is the later. */
function blockOf({ options }: CoapMessage): number {
  const blocks = [OptionNumber.Block1, OptionNumber.Block2].map((number) => readBlock(options, number));
  return Math.max(0, ...blocks.map((block) => (block === undefined || block === "malformed" ? 0 : block.number)));
}

function pathOf({ options }: CoapMessage): string {
  const parts = options.filter(({ number }) => number === OptionNumber.UriPath).map(({ value }) => text.decode(value));
  return parts.join("/");
}
