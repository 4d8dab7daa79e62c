import { faultyLink } from "../../../hw/net/faults.ts";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import type { TcgLog } from "../../../shared/event-log/index.ts";
import type { Lamps, Log, TpmPlatform } from "../../../shared/ports/index.ts";
import type { TokenEvent, Verdict } from "../../../token/domain/events.ts";
import type { Token } from "../../../token/token.ts";
import {
  bootMeasured,
  type LaunchFiles,
  type Measurement,
  measurementsOf,
  memoryEventLogs,
  powerCycle,
  runMeasuredBoot,
} from "../../dlme/index.ts";
import type { AttesterPlatform } from "../../platform/index.ts";
import { createTpmClient, type TpmClient } from "../../tpm/index.ts";
import { createCable } from "./cable.ts";
import { Computer } from "./computer.ts";
import { faultInjector, type LinkFaults } from "./faults.ts";
import { createStickFlash, type StickFlash } from "./flash.ts";
import type { TwinLine, TwinOptions } from "./options.ts";
import type { Pace } from "./pace.ts";
import type { Programs } from "./programs.ts";
import { isVerdict, type LastRefusal, refusalOf } from "./refusals.ts";
import { createStick, recorded, type Stick } from "./stick.ts";
import { oneStreamEach } from "./streams.ts";

const MAX_LOG_LINES = 10_000;

const LINK_MTU = 1500;

export interface BootManner {
  readonly launch: boolean;
  readonly power: "orderly" | "cut";
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
  /** API v1: attested sessions that live. */
  sessions = 0;
  /** Of the last boot. */
  readonly eventLogs = memoryEventLogs(() => this.#logs);
  /** Of the boot before it. */
  readonly formerEventLogs = memoryEventLogs(() => this.#formerLogs);

  #logs: readonly TcgLog[] = [];
  #formerLogs: readonly TcgLog[] = [];
  readonly #options: TwinOptions;
  readonly #flash: StickFlash;
  readonly #faults: ReturnType<typeof faultInjector>;
  readonly #cable = createCable(LINK_MTU);
  #stick: Stick;
  readonly #computer: Computer;

  constructor(given: TwinOptions) {
    const options = { ...given, random: oneStreamEach(given.random) };
    const { pace, tpm, random } = options;
    this.#options = options;
    this.#flash = options.flash ?? createStickFlash();
    this.pace = pace;
    this.platform = options.platform;
    this.lampsSince = pace.clock.now();
    this.#faults = faultInjector(random("faults"));
    const transport = pace.scheduler?.trackTransport(tpm.transport) ?? tpm.transport;
    const log = this.#logOf("attester");
    const clock = options.clocks?.computer ?? pace.clock;
    this.tpm = createTpmClient(transport, { random: random("tpm-client"), log, clock });
    this.#stick = this.#newStick();
    this.#computer = new Computer(
      { ...options, pace: { ...pace, clock } },
      { tpm: this.tpm, own: this.eventLogs, former: this.formerEventLogs },
      this.#cable.link,
      (from) => this.#logOf(from),
    );
    if (options.api === "v0") this.startOwner();
  }

  get platforms(): number {
    return this.token.domain.platforms.count;
  }

  /** Platforms of which the token keeps an event log. */
  get keptLogs(): number {
    return this.token.domain.listPlatforms().filter(({ logEvents }) => logEvents > 0).length;
  }

  /** Names that the owner gave to platforms. */
  get platformNames(): readonly string[] {
    return this.token.domain.listPlatforms().flatMap(({ name }) => (name === "" ? [] : [name]));
  }

  /** Files of all platforms. */
  get files(): number {
    return this.token.domain.listPlatforms().reduce((sum, { files }) => sum + files, 0);
  }

  get token(): Token {
    return this.#stick.token;
  }

  get verdict(): Verdict | undefined {
    return this.events.findLast(isVerdict)?.verdict;
  }

  /** How the last attestation ended; with API v1 it may be refused before there is evidence. */
  get outcome(): "trusted" | "refused" | undefined {
    const event = this.events.findLast((seen) => isVerdict(seen) || seen.type === "attestation-refused");
    if (event === undefined) return undefined;
    return event.type === "attested" ? "trusted" : "refused";
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
    this.#stick.bus.plug();
  }

  unplug(): void {
    this.plugged = false;
    this.#stick.bus.unplug();
  }

  holdButton(held: boolean): void {
    this.#stick.press(held);
  }

  setFaults(faults: LinkFaults): void {
    this.#faults.set(faults);
  }

  /** Off and on again with these files, measured. With API v0 the attester starts. */
  async boot(files: LaunchFiles, { launch, power }: BootManner): Promise<void> {
    const inputs = { firmware: this.platform.firmware, launch: launch ? files : undefined };
    await this.bootAs(measurementsOf(inputs), power);
  }

  /** The same with any measurements; where a step of a launch comes without the launch, TPM and log `mayDisagree`. */
  async bootAs(
    measurements: readonly Measurement[],
    power: "orderly" | "cut",
    { mayDisagree = false }: { readonly mayDisagree?: boolean } = {},
  ): Promise<void> {
    await this.#stopPrograms();
    const booted = await bootMeasured(this.tpm, this.#platformPort(), measurements, power);
    if (!booted.ok && !(mayDisagree && booted.reason === "disagreement")) throw new Error(booted.detail);
    [this.#formerLogs, this.#logs] = [this.#logs, booted.logs];
    if (this.#options.api === "v0") await this.startAttester();
  }

  /** Programs end, TPM2_Shutdown. */
  async shutdown(): Promise<void> {
    await this.#stopPrograms();
    await this.tpm.shutDown();
  }

  /** The stick is without power at once, and out. Its flash stays. */
  cutTokenPower(): void {
    this.unplug();
    this.#cable.disconnect();
    this.token.stop();
    this.#stick.goSilent();
    this.sessions = 0;
    this.#flash.powerUp();
    this.#stick = this.#newStick();
  }

  /** The same within the change of the flash that comes after so many more. */
  cutTokenPowerAfter(changes: number): void {
    this.#flash.cutAfter(changes, () => {
      const stick = this.#stick;
      stick.goSilent();
      this.#cable.disconnect();
      if (this.lamps.green || this.lamps.red) this.#showLamps({ green: false, red: false });
      this.pace.clock.after(0, () => {
        if (this.#stick === stick) this.cutTokenPower();
      });
    });
  }

  /** An event that is measured while the computer runs. */
  async measure(pcr: number, event: string): Promise<void> {
    const data = utf8(event);
    const measurement: Measurement = { by: "firmware", pcr, locality: 0, event: "EV_IPL", data, style: "hashed" };
    await runMeasuredBoot(this.tpm, undefined, [measurement]);
  }

  /** A reset without TPM2_Shutdown; the attester goes on. */
  async cutTpmPower(): Promise<void> {
    await powerCycle(this.tpm, this.#platformPort(), "cut");
  }

  /** The host programs of API v1. */
  get programs(): Programs {
    return this.#computer.v1;
  }

  /** Lets time pass until `work` has ended; undefined when it does not within `limitMs`. */
  async finish<T>(work: Promise<T>, limitMs: number): Promise<T | undefined> {
    let open = true;
    const end = () => {
      open = false;
    };
    work.then(end, end);
    return (await this.pace.until(() => !open, limitMs)) ? work : undefined;
  }

  startOwner(): void {
    this.#computer.v0.startOwner();
  }

  stopOwner(): Promise<void> {
    return this.#computer.v0.stopOwner();
  }

  startAttester(): Promise<void> {
    return this.#computer.v0.startAttester(this.platform);
  }

  stopAttester(): Promise<void> {
    return this.#computer.v0.stopAttester();
  }

  async close(): Promise<void> {
    this.unplug();
    await this.#computer.close();
    this.token.stop();
    await this.tpm.shutDown(); // or the next quotes of this TPM would say that its clock is not safe
  }

  async #stopPrograms(): Promise<void> {
    await this.stopAttester();
    await this.programs.killAll();
  }

  #platformPort(): TpmPlatform {
    const { tpm, pace } = this.#options;
    return pace.scheduler?.trackPlatform(tpm.platform) ?? tpm.platform;
  }

  #logOf(from: string): Log {
    return {
      write: (level, message) => {
        if (level === "debug") return;
        const line = { at: this.pace.clock.now(), from, level, message };
        if (this.log.length < MAX_LOG_LINES) this.log.push(line);
        this.#options.onLog?.(line);
      },
    };
  }

  /** A stick with what the flash holds, at the end of the cable. */
  #newStick(): Stick {
    const witness = {
      log: this.#logOf("token"),
      lamps: (lamps: Lamps) => this.#showLamps(lamps),
      event: (event: TokenEvent) => this.#happened(event),
    };
    const stick = createStick(this.#options, this.#flash, witness);
    const link = recorded(stick.bus, this.#options.onFrame);
    this.#cable.connect(faultyLink(link, this.#options.fault ?? this.#faults.fault, this.pace.clock));
    return stick;
  }

  #showLamps(lamps: Lamps): void {
    this.lamps = lamps;
    this.lampsSince = this.pace.clock.now();
    this.#options.onLamps?.(lamps);
  }

  #happened(event: TokenEvent): void {
    this.events.push(event);
    if (event.type === "attested-sessions") this.sessions = event.count;
    const refusal = refusalOf(event);
    if (refusal !== undefined) this.lastRefusal = refusal;
  }
}
