import { createRamFlash } from "../../../hw/flash/index.ts";
import { faultyLink } from "../../../hw/net/faults.ts";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import { createMemoryUsbHost } from "../../../hw/usb-host/memory.ts";
import type { FrameLink, Lamps, Log, Random, TpmPlatform } from "../../../shared/ports/index.ts";
import type { NotTrusted, TokenEvent, Verdict } from "../../../token/domain/events.ts";
import { profileNamed } from "../../../token/domain/profile.ts";
import { ATTESTER_PEER, createToken, type Token } from "../../../token/token.ts";
import { type LaunchFiles, measurementsOf, powerCycle, runMeasuredBoot } from "../../dlme/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import { createTpmClient, type TpmClient } from "../../tpm/index.ts";
import { Computer, OWNER_PORT } from "./computer.ts";
import { faultInjector, type LinkFaults } from "./faults.ts";
import type { TwinLine, TwinOptions } from "./options.ts";
import type { Pace } from "./pace.ts";

const MAX_LOG_LINES = 10_000;

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
  #token: Token;
  #bus: ReturnType<typeof createMemoryUsbHost>;
  readonly #computer: Computer;
  #pressed: (held: boolean) => void = () => undefined;

  constructor(given: TwinOptions) {
    const options = { ...given, random: oneStreamEach(given.random) };
    const { pace, tpm, random } = options;
    this.#options = options;
    this.pace = pace;
    this.platform = options.platform;
    this.lampsSince = pace.clock.now();
    this.#faults = faultInjector(random("faults"));
    const transport = pace.scheduler?.trackTransport(tpm.transport) ?? tpm.transport;
    const log = this.#logOf("attester");
    this.tpm = createTpmClient(transport, { random: random("tpm-client"), log, clock: pace.clock });
    this.#token = this.#makeToken();
    this.#bus = createMemoryUsbHost(this.#token.usb);
    this.#computer = new Computer(options, this.tpm, this.#link(), (from) => this.#logOf(from));
    this.#computer.startOwner();
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
    this.#token = this.#makeToken();
    this.#bus = createMemoryUsbHost(this.#token.usb);
    await this.#computer.moveTo(this.#link());
  }

  /** A reset without TPM2_Shutdown; the attester goes on. */
  async cutTpmPower(): Promise<void> {
    await powerCycle(this.tpm, this.#platformPort(), "cut");
  }

  startOwner(): void {
    this.#computer.startOwner();
  }

  stopOwner(): Promise<void> {
    return this.#computer.stopOwner();
  }

  startAttester(): Promise<void> {
    return this.#computer.startAttester(this.platform);
  }

  stopAttester(): Promise<void> {
    return this.#computer.stopAttester();
  }

  async close(): Promise<void> {
    this.unplug();
    await this.#computer.close();
    this.#token.stop();
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
    const { profile, owner, ekRoot, pace, random } = this.#options;
    const env = {
      clock: pace.clock,
      random: random("token"),
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
      api: "v0",
      profile: profileNamed(profile),
      owner: { address: ATTESTER_PEER.address, port: OWNER_PORT },
      ownerRoot: owner.root,
      ekRoots: [ekRoot],
    });
    token.onEvent((event) => this.#happened(event));
    return token;
  }

  /** The computer's end of the stick's link, with the faults of the moment. */
  #link(): FrameLink {
    return faultyLink(this.#recorded(this.#bus.link), this.#faults.fault, this.pace.clock);
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

/** The stream of each part goes on where it was, however often it is asked for. */
function oneStreamEach(random: (part: string) => Random): (part: string) => Random {
  const streams = new Map<string, Random>();
  return (part) => {
    const stream = streams.get(part) ?? random(part);
    streams.set(part, stream);
    return stream;
  };
}
