import { openUdpPort } from "../../hw/net/udp.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import { readBlock } from "../../shared/coap/block-option.ts";
import { type CoapMessage, decodeMessage, isRequest, OptionNumber } from "../../shared/coap/index.ts";
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
 * Stands between a client and a server of CoAP over UDP, passes everything on, and counts requests: a message id that was
 * not there before and no later block of a body that is under way. Retransmissions do not count.
 */
export class UdpGate {
  /** Path of each request, in order. */
  readonly asked: string[] = [];
  readonly #inside: DatagramPort;
  readonly #outside: DatagramPort;
  readonly #known = new Set<string>();
  #server: Peer | undefined;
  #client: Peer | undefined;
  #plan: { readonly moment: Moment; act(): void } | undefined;

  private constructor(inside: DatagramPort, outside: DatagramPort) {
    this.#inside = inside;
    this.#outside = outside;
    inside.onDatagram((datagram, from) => this.#fromClient(datagram, from));
    outside.onDatagram((datagram, from) => this.#fromServer(datagram, from));
  }

  static async open(): Promise<UdpGate> {
    return new UdpGate(await openUdpPort(LOOPBACK, 0), await openUdpPort(LOOPBACK, 0));
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
    await Promise.all([this.#inside.close(), this.#outside.close()]);
  }

  #fromClient(datagram: Uint8Array, from: Peer): void {
    this.#client = from;
    if (this.#server === undefined) return;
    this.#outside.send(datagram, this.#server);
    const message = read(datagram);
    if (message === undefined || !isRequest(message.code)) return;
    const id = `${from.port} ${message.messageId}`;
    if (this.#known.has(id)) return;
    this.#known.add(id);
    const block = blockOf(message);
    if (block === 0) this.asked.push(pathOf(message));
    this.#reached(block === 0 ? "asked" : { block });
  }

  #fromServer(datagram: Uint8Array, from: Peer): void {
    if (from.port !== this.#server?.port || this.#client === undefined) return;
    this.#inside.send(datagram, this.#client);
    const message = read(datagram);
    if (message === undefined || message.code === 0) return; // an acknowledgement, the answer is yet to come
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
