import { createRamFlash } from "../../../hw/flash/index.ts";
import { faultyLink } from "../../../hw/net/faults.ts";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import { createMemoryUsbHost } from "../../../hw/usb-host/memory.ts";
import { type CoapEndpoint, type CoapHandler, createEndpoint } from "../../../shared/coap/index.ts";
import { createHost } from "../../../shared/net/index.ts";
import type {
  Calendar,
  DatagramPort,
  FrameLink,
  Lamps,
  Log,
  LogLevel,
  Random,
  TpmPlatform,
  TpmTransport,
} from "../../../shared/ports/index.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import type { NotTrusted, TokenEvent, Verdict } from "../../../token/domain/events.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import { ATTESTER_PEER, createToken, type Token } from "../../../token/token.ts";
import { type LaunchFiles, measurementsOf, powerCycle, runMeasuredBoot } from "../../dlme/index.ts";
import { createV0Server } from "../../flows/index.ts";
import { admitAll, createOwner, createOwnerV0, memoryRecord, type OwnerMaterial } from "../../owner/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import { createTpmClient, type TpmClient } from "../../tpm/index.ts";
import { faultInjector, type LinkFaults } from "./faults.ts";
import type { Pace } from "./pace.ts";

const COMPUTER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x08);
/** In v0 owner and attester would take turns on one port; here the owner has one of its own. */
const OWNER_PORT = 5684;
const MAX_LOG_LINES = 10_000;

export interface TwinOptions {
  readonly pace: Pace;
  /** A stream of randomness for each part, so that one more draw of one does not shift the others. */
  readonly random: (part: string) => Random;
  readonly calendar: Calendar;
  readonly tpm: { readonly transport: TpmTransport; readonly platform: TpmPlatform };
  readonly profile: "compat" | "strict";
  readonly key: "rsa" | "ecc";
  readonly platform: AttesterPlatform;
  readonly owner: OwnerMaterial;
  readonly ekRoot: Certificate;
  readonly onLog?: (line: TwinLine) => void;
  readonly onLamps?: (lamps: Lamps) => void;
  /** Stands between the wire and the attester's server: to watch requests, or to be a liar. */
  readonly intercept?: (handler: CoapHandler) => CoapHandler;
  readonly onFrame?: (direction: "to-token" | "to-computer", frame: Uint8Array) => void;
}

export interface TwinLine {
  readonly at: number;
  readonly from: "token" | "attester" | "owner" | "computer";
  readonly level: LogLevel;
  readonly message: string;
}

export interface BootManner {
  readonly launch: boolean;
  readonly power: "orderly" | "cut";
}

/** What was refused last: a verdict, or a refusal of token or platform provisioning. */
export interface LastRefusal {
  readonly reason: string;
  readonly pcrs?: readonly number[] | undefined;
}

/** Token, link, attester, owner and TPM in one process: the composition that demo, scenarios and tests share. */
export class Twin {
  readonly pace: Pace;
  readonly tpm: TpmClient;
  readonly log: TwinLine[] = [];
  lamps: Lamps = { green: false, red: false };
  lampsSince: number;
  plugged = false;
  /** Who the computer says it is, and what its firmware measures, from the next boot on. */
  platform: AttesterPlatform;
  /** Events and verdict since `forgetEvents`. */
  events: TokenEvent[] = [];
  lastRefusal: LastRefusal | undefined;

  readonly #options: TwinOptions;
  readonly #flash = createRamFlash();
  readonly #faults: ReturnType<typeof faultInjector>;
  readonly #tokenRandom: Random;
  #token: Token;
  #bus: ReturnType<typeof createMemoryUsbHost>;
  #computer: ReturnType<typeof createHost>;
  #pressed: (held: boolean) => void = () => undefined;
  #owner: { readonly endpoint: CoapEndpoint; readonly port: DatagramPort } | undefined;
  #attester: { readonly endpoint: CoapEndpoint; readonly port: DatagramPort } | undefined;
  #attesterWanted = false;
  #ownerWanted = true;

  constructor(options: TwinOptions) {
    const { pace, tpm, random } = options;
    this.#options = options;
    this.pace = pace;
    this.platform = options.platform;
    this.lampsSince = pace.clock.now();
    this.#faults = faultInjector(random("faults"));
    this.#tokenRandom = random("token");
    const transport = pace.scheduler?.trackTransport(tpm.transport) ?? tpm.transport;
    this.tpm = createTpmClient(transport, {
      random: random("tpm-client"),
      log: this.#logOf("attester"),
      clock: pace.clock,
    });
    this.#token = this.#makeToken();
    [this.#bus, this.#computer] = this.#makeLink();
    this.startOwner();
  }

  get platforms(): number {
    return this.#token.domain.platforms.count;
  }

  get token(): Token {
    return this.#token;
  }

  get verdict(): Verdict | undefined {
    const event = this.events.findLast(({ type }) => type === "attested" || type === "attestation-failed");
    return event?.type === "attested" || event?.type === "attestation-failed" ? event.verdict : undefined;
  }

  forgetEvents(): void {
    this.events = [];
    this.lastRefusal = undefined;
  }

  /** What a person would want to know when something else was expected. */
  describe(): string {
    const lines = this.log.slice(-3).map(({ from, message }) => `${from}: ${message}`);
    return `lamps ${nameLamps(this.lamps)}${lines.length === 0 ? "" : `; last log lines: ${lines.join(" | ")}`}`;
  }

  plug(): void {
    this.plugged = true;
    this.#bus.plug();
  }

  unplug(): void {
    this.plugged = false;
    this.#bus.unplug();
  }

  holdButton(held: boolean): void {
    this.#pressed(held);
  }

  setFaults(faults: LinkFaults): void {
    this.#faults.set(faults);
  }

  /** Off and on again with these files, measured; the attester starts. */
  async boot(files: LaunchFiles, { launch, power }: BootManner): Promise<void> {
    await this.stopAttester();
    const platform = this.#platformPort();
    await powerCycle(this.tpm, platform, power);
    const inputs = { firmware: this.platform.firmware, launch: launch ? files : undefined };
    const booted = await runMeasuredBoot(this.tpm, platform, measurementsOf(inputs));
    if (!booted.ok) throw new Error(booted.detail);
    await this.startAttester();
  }

  /** The attester ends, TPM2_Shutdown. */
  async shutdown(): Promise<void> {
    await this.stopAttester();
    await this.tpm.shutDown();
  }

  /** The stick is without power at once, and out. Its flash stays. */
  async cutTokenPower(): Promise<void> {
    this.unplug();
    this.#token.stop();
    this.#computer.close();
    this.#token = this.#makeToken();
    const [attester, owner] = [this.#attesterWanted, this.#ownerWanted];
    await this.stopAttester();
    await this.stopOwner();
    [this.#bus, this.#computer] = this.#makeLink();
    if (owner) await this.startOwner();
    if (attester) await this.startAttester();
  }

  /** A reset without TPM2_Shutdown; the attester goes on. */
  async cutTpmPower(): Promise<void> {
    await powerCycle(this.tpm, this.#platformPort(), "cut");
  }

  async startOwner(): Promise<void> {
    if (this.#owner !== undefined) return;
    this.#ownerWanted = true;
    const { random, calendar, owner: material, pace } = this.#options;
    const log = this.#logOf("owner");
    const ownRandom = random("owner");
    const admission = admitAll; // who plugs the token into the twin is its owner
    const owner = createOwner({ material, random: ownRandom, calendar, record: memoryRecord(), admission, log });
    const port = this.#computer.udp(OWNER_PORT);
    const endpoint = createEndpoint({ port, clock: pace.clock, random: ownRandom, log });
    endpoint.serve(createOwnerV0(owner));
    this.#owner = { endpoint, port };
  }

  async stopOwner(): Promise<void> {
    this.#ownerWanted = false;
    this.#owner?.endpoint.close();
    await this.#owner?.port.close();
    this.#owner = undefined;
  }

  async startAttester(): Promise<void> {
    if (this.#attester !== undefined) return;
    this.#attesterWanted = true;
    const { platform } = this;
    const { random, profile, key, pace, intercept = (handler) => handler } = this.#options;
    const log = this.#logOf("attester");
    const server = await createV0Server({ tpm: this.tpm, platform, profile, key, log });
    const port = this.#computer.udp(ATTESTER_PEER.port);
    const endpoint = createEndpoint({ port, clock: pace.clock, random: random("attester"), log });
    endpoint.serve(intercept(server.handler));
    this.#attester = { endpoint, port };
  }

  async stopAttester(): Promise<void> {
    this.#attesterWanted = false;
    this.#attester?.endpoint.close();
    await this.#attester?.port.close();
    this.#attester = undefined;
  }

  async close(): Promise<void> {
    this.unplug();
    await this.stopAttester();
    await this.stopOwner();
    this.#token.stop();
    this.#computer.close();
    await this.tpm.shutDown(); // or the next quotes of this TPM would say that its clock is not safe
  }

  #platformPort(): TpmPlatform {
    const { tpm, pace } = this.#options;
    return pace.scheduler?.trackPlatform(tpm.platform) ?? tpm.platform;
  }

  #logOf(from: TwinLine["from"]): Log {
    return {
      write: (level, message) => {
        if (level === "debug") return;
        const line = { at: this.pace.clock.now(), from, level, message };
        if (this.log.length < MAX_LOG_LINES) this.log.push(line);
        this.#options.onLog?.(line);
      },
    };
  }

  #makeToken(): Token {
    const { profile, owner, ekRoot, pace } = this.#options;
    const env = {
      clock: pace.clock,
      random: this.#tokenRandom,
      flash: this.#flash,
      log: this.#logOf("token"),
      leds: { show: (lamps: Lamps) => this.#showLamps(lamps) },
      button: {
        onChange: (listener: (held: boolean) => void) => {
          this.#pressed = listener;
          return () => undefined;
        },
      },
    };
    const token = createToken(env, {
      profile: profileNamed(profile),
      owner: { address: ATTESTER_PEER.address, port: OWNER_PORT },
      ownerRoot: owner.root,
      ekRoots: [ekRoot],
    });
    token.onEvent((event) => this.#happened(event));
    return token;
  }

  #makeLink() {
    const bus = createMemoryUsbHost(this.#token.usb);
    const link = faultyLink(this.#recorded(bus.link), this.#faults.fault, this.pace.clock);
    const { address } = ATTESTER_PEER;
    const computer = createHost({
      link,
      mac: COMPUTER_MAC,
      address,
      clock: this.pace.clock,
      log: this.#logOf("computer"),
    });
    return [bus, computer] as const;
  }

  #recorded(link: FrameLink): FrameLink {
    const { onFrame } = this.#options;
    if (onFrame === undefined) return link;
    return {
      mtu: link.mtu,
      send(frame) {
        onFrame("to-token", frame);
        link.send(frame);
      },
      onFrame: (listener) =>
        link.onFrame((frame) => {
          onFrame("to-computer", frame);
          listener(frame);
        }),
      close: () => link.close(),
    };
  }

  #showLamps(lamps: Lamps): void {
    this.lamps = lamps;
    this.lampsSince = this.pace.clock.now();
    this.#options.onLamps?.(lamps);
  }

  #happened(event: TokenEvent): void {
    this.events.push(event);
    const refusal = refusalOf(event);
    if (refusal !== undefined) this.lastRefusal = refusal;
  }
}

function refusalOf(event: TokenEvent): LastRefusal | undefined {
  if (event.type === "token-refused" || event.type === "platform-refused") return { reason: event.reason };
  if (event.type !== "attestation-failed") return undefined;
  const { reason, pcrs }: NotTrusted = event.verdict;
  return { reason, pcrs };
}
