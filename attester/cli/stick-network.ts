import { describeStick } from "../../hw/usb-host/spec.ts";
import { openStickLink, type StickLink } from "../../hw/usb-host/stick-link.ts";
import { type FoundStick, type UsbHost, UsbHostError } from "../../hw/usb-host/usb-host.ts";
import { createHost, type Host } from "../../shared/net/index.ts";
import type { Clock, DatagramPort, Log, Peer, Random, Unsubscribe } from "../../shared/ports/index.ts";

/** The computer's end of a stick's Ethernet, in this process: no driver, no interface of the kernel. */

/** What the stick expects of its computer (the reference's PC side). */
const COMPUTER = "169.254.0.8";
const FIRST_PORT = 49_152;
const PORTS = 16_384;
/** A conformance run opens some for each row. */
const MAX_PORTS = 1_024;
const LOOK_AGAIN_MS = 500;

export interface StickNetworkOptions {
  readonly host: UsbHost;
  /** Rejections are UsbHostError. */
  readonly choose: (sticks: readonly FoundStick[]) => FoundStick;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Plugged {
  readonly stick: FoundStick;
  readonly link: StickLink;
  readonly net: Host;
}

/** A UDP port that outlives the stick: what is sent while there is none is lost. */
class NetworkPort implements DatagramPort {
  readonly local: Peer;
  readonly #listeners = new Set<(datagram: Uint8Array, from: Peer) => void>();
  readonly #closed: (port: NetworkPort) => void;
  #bound: DatagramPort | undefined;

  constructor(number: number, closed: (port: NetworkPort) => void) {
    this.local = { address: COMPUTER, port: number };
    this.#closed = closed;
  }

  bind(net: Host): void {
    this.#bound = net.udp(this.local.port);
    this.#bound.onDatagram((datagram, from) => {
      for (const listener of [...this.#listeners]) listener(datagram, from);
    });
  }

  unbind(): void {
    this.#bound = undefined;
  }

  send(datagram: Uint8Array, to: Peer): void {
    this.#bound?.send(datagram, to);
  }

  onDatagram(listener: (datagram: Uint8Array, from: Peer) => void): Unsubscribe {
    const own = (datagram: Uint8Array, from: Peer) => listener(datagram, from);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#closed(this);
    await this.#bound?.close();
    this.#bound = undefined;
  }
}

export class StickNetwork {
  readonly #options: StickNetworkOptions;
  readonly #ports = new Map<number, NetworkPort>();
  readonly #goneListeners = new Set<() => void>();
  #nextPort: number;
  #plugged: Plugged | undefined;
  #plugs = 0;
  #absence: string | undefined = "no stick was looked for yet";
  #waiting: Promise<void> | undefined;
  #open = true;
  #closed: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(options: StickNetworkOptions) {
    this.#options = options;
    const [high = 0, low = 0] = options.random.bytes(2);
    this.#nextPort = ((high << 8) | low) % PORTS;
  }

  /** Why there is no stick now; undefined while there is one. */
  get absence(): string | undefined {
    return this.#absence;
  }

  /** Where the stick is plugged in. */
  get at(): string | undefined {
    return this.#plugged?.stick.at;
  }

  /** How often a stick was taken. */
  get plugs(): number {
    return this.#plugs;
  }

  /** Told whenever the stick goes. */
  onGone(listener: () => void): Unsubscribe {
    const own = () => listener();
    this.#goneListeners.add(own);
    return () => {
      this.#goneListeners.delete(own);
    };
  }

  /** A UDP port of its own on the computer's address. RangeError when there are too many. */
  udp(): DatagramPort {
    if (this.#ports.size >= MAX_PORTS) throw new RangeError(`more than ${MAX_PORTS} UDP ports`);
    while (this.#ports.has(FIRST_PORT + this.#nextPort)) this.#nextPort = (this.#nextPort + 1) % PORTS;
    const number = FIRST_PORT + this.#nextPort;
    this.#nextPort = (this.#nextPort + 1) % PORTS;
    const port = new NetworkPort(number, () => this.#ports.delete(number));
    this.#ports.set(number, port);
    if (this.#plugged !== undefined) port.bind(this.#plugged.net);
    return port;
  }

  /** Takes the stick. Rejects with UsbHostError, or with a sentence about a stick that does not play along. */
  async plug(): Promise<void> {
    const { host, choose, clock, log } = this.#options;
    try {
      const stick = choose(await host.find());
      const link = await openStickLink(await host.claim(stick), { log, clock });
      if (this.#open) this.#use(stick, link);
      else await link.close();
    } catch (error) {
      if (isForeseen(error)) this.#absence = onOneLine(asClause(error.message));
      throw error;
    }
  }

  #use(stick: FoundStick, link: StickLink): void {
    const { host, clock, random, log } = this.#options;
    const net = createHost({
      link: link.link,
      mac: localMac(random),
      address: COMPUTER,
      clock,
      log,
      limits: { maxPorts: MAX_PORTS },
    });
    const plugged = { stick, link, net };
    this.#plugged = plugged;
    this.#plugs += 1;
    this.#absence = undefined;
    for (const port of this.#ports.values()) port.bind(net);
    log.write("debug", `Using the stick ${describeStick(stick)} (${host.name})`, { usb: "used", at: stick.at });
    link.onGone(() => void this.#lost(plugged));
  }

  /** From now on a stick that goes is waited for, and so is one that is not there yet. Ends with `close`. */
  keepPlugged(): void {
    this.#waiting ??= this.#keep();
  }

  /** Gives the stick back. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#open = false;
    this.#wake();
    const plugged = this.#plugged;
    if (plugged !== undefined) await this.#leave(plugged, "it was given back");
    await this.#options.host.close(); // whoever waits for it is told, too
    await this.#waiting;
  }

  async #keep(): Promise<void> {
    const { log } = this.#options;
    let said: string | undefined;
    while (this.#open) {
      if (this.#plugged === undefined) {
        const problem = await this.#tryToPlug();
        if (problem !== undefined && problem !== said && this.#open) {
          log.write("info", `Waiting for the stick: ${problem}`, { usb: "waiting", reason: problem });
        }
        said = problem;
      }
      await this.#restUntilChange();
    }
  }

  async #tryToPlug(): Promise<string | undefined> {
    const { log } = this.#options;
    try {
      await this.plug();
      const { at } = this;
      if (at !== undefined) log.write("info", `The stick ${at} is there.`, { usb: "found", at });
      return undefined;
    } catch (error) {
      if (!isForeseen(error)) throw error;
      return this.#absence;
    }
  }

  #restUntilChange(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#open) return resolve();
      const cancel = this.#plugged === undefined ? this.#options.clock.after(LOOK_AGAIN_MS, () => this.#wake()) : noop;
      this.#wake = () => {
        cancel();
        this.#wake = noop;
        resolve();
      };
    });
  }

  async #lost(plugged: Plugged): Promise<void> {
    const { at } = plugged.stick;
    if (this.#plugged !== plugged || !this.#open) return;
    this.#options.log.write("warn", `The stick ${at} is gone.`, { usb: "gone", at });
    await this.#leave(plugged, `the stick ${at} is gone`);
    this.#wake();
  }

  async #leave(plugged: Plugged, absence: string): Promise<void> {
    this.#plugged = undefined;
    this.#absence = absence;
    for (const port of this.#ports.values()) port.unbind();
    plugged.net.close();
    for (const listener of [...this.#goneListeners]) listener();
    await plugged.link.close().catch((error: unknown) => {
      if (!isForeseen(error)) throw error;
      this.#options.log.write("warn", error.message);
    });
  }
}

const noop = (): void => undefined;

/** What people can do something about: what the bus says, and sticks that do not play along. Anything else is a bug. */
export function isForeseen(error: unknown): error is Error {
  return error instanceof UsbHostError || (error instanceof Error && error.constructor === Error);
}

/** A sentence for the place behind a colon. */
export function asClause(sentence: string): string {
  return /^[A-Z](?:[a-z]| )/.test(sentence) ? `${sentence[0]?.toLowerCase() ?? ""}${sentence.slice(1)}` : sentence;
}

/** Lists of sticks have lines of their own. */
function onOneLine(text: string): string {
  const [head = "", ...rows] = text.split("\n");
  return [head, rows.map((row) => row.trim()).join("; ")].join(" ").trim();
}

/** Another one at each plug, as Linux' usbnet has it; locally administered (IEEE 802, 8.2). */
function localMac(random: Random): Uint8Array {
  const [first = 0, ...more] = random.bytes(6);
  return Uint8Array.of((first & 0xfc) | 0x02, ...more);
}
