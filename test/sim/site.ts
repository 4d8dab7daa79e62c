import type { TwinOptions } from "../../attester/cli/twin/options.ts";
import { platformId } from "../../attester/cli/twin/programs.ts";
import { seededSource } from "../../attester/cli/twin/setup.ts";
import { Twin } from "../../attester/cli/twin/twin.ts";
import { sampleLaunch } from "../../attester/dlme/index.ts";
import { APU2, type AttesterPlatform } from "../../attester/platform/index.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { createTpmEmulator, type TpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { createMemoryStateStore } from "../../hw/tpm/emulator/state-store.ts";
import { toHex } from "../../shared/bytes/index.ts";
import type { Token } from "../../token/token.ts";
import { Asked } from "./asked.ts";
import { overfull } from "./bounds.ts";
import type { CountingClock, paceOf } from "./clock.ts";
import { createDice } from "./dice.ts";
import type { Findings } from "./findings.ts";
import { Oracle } from "./oracle.ts";
import { CALM, type KeyKind, type Weather } from "./plan.ts";
import { type SoldTpm, theOwner } from "./pool.ts";
import { SkewedClock } from "./skewed-clock.ts";
import { createSimStick, type SimStick, Slot } from "./slot.ts";
import { Tap } from "./tap.ts";
import type { Trace } from "./trace.ts";
import { faultOf, tearBits } from "./wreck.ts";

const DAY_MS = 86_400_000;
/** The same for all computers: they cost more than starting one. */
const FILES = sampleLaunch();

/** What is done to each new token, to see that the oracle notices. */
export type Sabotage = (token: Token) => void;

/** What the computers of a world have in common. */
export interface Surroundings {
  readonly seed: number;
  readonly pace: ReturnType<typeof paceOf>;
  readonly clock: CountingClock;
  readonly trace: Trace;
  readonly findings: Findings;
  readonly platforms: readonly AttesterPlatform[];
  readonly sabotage: Sabotage;
}

export interface SiteOptions {
  readonly number: number;
  readonly key: KeyKind;
  readonly sold: SoldTpm;
  /** In its port at the beginning. */
  readonly stick: SimStick | undefined;
}

export function platformOf(number: number): AttesterPlatform {
  return { ...APU2, serialNumber: `${APU2.serialNumber}-${number}` };
}

export const idOf = (platform: AttesterPlatform): string => toHex(platformId(platform));

type Boot = "good" | "other-kernel" | "no-launch";

/** One computer with its TPM, its owner's programs, and a port for a stick; and the oracle's ears everywhere. */
export class Site {
  readonly name: string;
  readonly platform: string;
  readonly twin: Twin;
  readonly oracle: Oracle;
  readonly slot: Slot;
  readonly clocks: { readonly token: SkewedClock; readonly computer: SkewedClock; readonly tpm: SkewedClock };
  weather: Weather = CALM;
  isLinkCut = false;
  /** By how much the owner's calendar is wrong. */
  daysOff = 0;
  /** Told once a stick has lost its power and starts anew, still unplugged. */
  onRestart: () => void = () => undefined;
  readonly #around: Surroundings;
  readonly #asked: Asked;
  readonly #tap: Tap;
  readonly #tpm: TpmEmulator;
  #token: Token | undefined;
  #lookedAtFrame = 0;

  constructor({ number, key, sold, stick }: SiteOptions, around: Surroundings) {
    const { seed, pace, clock, trace, findings, platforms } = around;
    const platform = platforms[number] ?? platformOf(number);
    this.#around = around;
    this.name = `computer ${number}`;
    this.platform = idOf(platform);
    this.clocks = { token: new SkewedClock(clock), computer: new SkewedClock(clock), tpm: new SkewedClock(clock) };
    this.oracle = new Oracle({
      ...{ computer: this.name, platform: this.platform, platforms: platforms.map(idOf) },
      ...{ clock: this.clocks.token, findings },
    });
    this.#asked = new Asked(() => this.clocks.computer.wentMs(), findings);
    this.#tap = new Tap(this.name, clock, findings);
    const dice = (what: string) => createDice(seed, `${what} ${number}`);
    this.slot = new Slot(stick, () => createSimStick("none", tearBits(dice("empty port"))), {
      failed: () => this.#powerFailed(),
      returned: () => this.#powerReturned(),
    });
    const source = seededSource(seed);
    const random = (part: string) => source.random(`${part} ${number}`);
    const state = createMemoryStateStore(sold.state);
    this.#tpm = watchedTpm(createTpmEmulator({ random: random("tpm"), clock: this.clocks.tpm, state }), this.oracle);
    this.twin = new Twin({
      ...{ api: "v1", profile: "strict", key, pace, platform, random, tpm: this.#tpm, flash: this.slot },
      ...{ clocks: this.clocks, ekRoot: sold.ekRoot, owner: theOwner() },
      calendar: { today: () => source.calendar.today() + this.daysOff * DAY_MS },
      fault: faultOf(
        dice("link"),
        () => this.weather,
        () => this.isLinkCut,
      ),
      onRequest: (what, answer) => this.#asked.began(`${what} of ${this.name}`, answer),
      ...this.#witness(trace),
    });
  }

  async start(): Promise<void> {
    await this.twin.tpm.startUp({ platform: this.#tpm.platform, own: true });
    this.meet();
  }

  async boot(power: "orderly" | "cut", how: Boot): Promise<void> {
    this.oracle.isGood = false;
    const files = how === "other-kernel" ? { ...FILES, commandLine: `${FILES.commandLine} init=/bin/sh` } : FILES;
    await this.twin.boot(files, { launch: how !== "no-launch", power });
    this.oracle.isGood = how === "good";
  }

  /** Another stick, or none, is in the port; it has no power yet. */
  insert(stick: SimStick | undefined): void {
    this.slot.insert(stick);
    this.twin.cutTokenPower();
    this.meet();
  }

  plug(): void {
    if (this.slot.stick !== undefined) this.twin.plug();
  }

  /** After each timer. */
  step(): void {
    this.meet();
    this.#checkBounds();
    if (!this.twin.plugged) this.#tap.forget();
    this.#tap.step();
    this.#asked.step();
    if (this.clocks.token.tamperedAt !== this.#around.clock.now()) this.oracle.step(this.twin);
  }

  /** When a frame came since the last look: nothing else fills tables. */
  #checkBounds(): void {
    const { heardFrames } = this.oracle.peers;
    if (heardFrames === this.#lookedAtFrame) return;
    this.#lookedAtFrame = heardFrames;
    const problem = overfull(this.twin.token);
    if (problem !== undefined) this.oracle.fail(problem);
  }

  /** The first to look at a new life of a stick. */
  meet(): void {
    const { token } = this.twin;
    if (token === this.#token) return;
    const isFirst = this.#token === undefined;
    this.#token = token;
    this.slot.hasStarted();
    this.#tap.forget();
    this.#around.sabotage(token);
    this.oracle.watch(token, this.slot.memory);
    if (!isFirst) this.onRestart();
  }

  async close(): Promise<void> {
    await this.twin.close();
    await Promise.resolve(); // who was told of the end has heard it
    this.#asked.over();
  }

  #powerFailed(): void {
    this.oracle.hasPower = false;
    this.#tap.forget();
    this.#around.trace.tell(`${this.name}: the power fails within a change of the flash`);
    const { lives } = this.slot;
    this.#around.clock.after(0, () => {
      if (this.slot.lives === lives) this.twin.cutTokenPower();
    });
  }

  #powerReturned(): void {
    this.oracle.hasPower = true;
  }

  /** Frames are seen as the token has them: after what befell them on the way to it, before what does on the way from it. */
  #witness(trace: Trace): Required<Pick<TwinOptions, "onFrame" | "onLamps" | "onLog">> {
    const { oracle, name } = this;
    return {
      onFrame: (direction, frame) => {
        trace.frame(`${name} ${direction}`, frame);
        if (direction === "to-token") {
          oracle.peers.heard(frame);
          if (oracle.hasPower) this.#tap.toToken(frame);
        } else if (oracle.hasPower) {
          this.#tap.toComputer(frame);
          if (oracle.peers.leaks(frame)) oracle.fail("the file goes to a peer that is not attested");
        }
      },
      onLamps: (lamps) => {
        oracle.lampsChanged();
        trace.tell(`${name}: lamps ${nameLamps(lamps)}`);
      },
      onLog: ({ from, level, message }) => {
        if (from !== "token") return;
        trace.tell(`${name}: token: ${message}`);
        if (level === "error") oracle.fail(`the token's log: ${message}`);
      },
    };
  }
}

function watchedTpm({ transport, platform, board }: TpmEmulator, oracle: Oracle): TpmEmulator {
  return {
    platform,
    board,
    transport: {
      send(command, signal) {
        oracle.commanded(command);
        return transport.send(command, signal);
      },
      close: () => transport.close(),
    },
  };
}
