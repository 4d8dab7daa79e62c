import { createStickFlash, type StickFlash } from "../../attester/cli/twin/flash.ts";
import type { TwinOptions } from "../../attester/cli/twin/options.ts";
import { seededSource } from "../../attester/cli/twin/setup.ts";
import { Twin } from "../../attester/cli/twin/twin.ts";
import { sampleLaunch } from "../../attester/dlme/index.ts";
import { builtInProfiles } from "../../attester/platform/index.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { createTpmEmulator, type TpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { createMemoryStateStore } from "../../hw/tpm/emulator/state-store.ts";
import type { Token } from "../../token/token.ts";
import { CountingClock, paceOf } from "./clock.ts";
import { createDice } from "./dice.ts";
import { Oracle } from "./oracle.ts";
import { CALM, type Weather } from "./plan.ts";
import { theOwner, tpmOf } from "./pool.ts";
import { Trace } from "./trace.ts";
import { faultOf, tearBits } from "./wreck.ts";

/** Small, so that old pages are erased while the story goes on. */
const GEOMETRY = { pageBytes: 4096, pages: 20 };
/** Of all together: each of 32 sessions has its own and that of a ping, the rest is lamps, exchanges, programs and late frames. */
const MAX_TIMERS = 150;

/** The same for all computers: they cost more than starting one. */
const FILES = sampleLaunch();

/** What is done to each new token, to see that the oracle notices. */
export type Sabotage = (token: Token) => void;

/** Stick, computer, owner and TPM of one seed, with the oracle's ears everywhere. */
export interface World {
  readonly twin: Twin;
  readonly oracle: Oracle;
  readonly trace: Trace;
  readonly flash: StickFlash;
  weather: Weather;
  isLinkCut: boolean;
  /** What is to be done after each timer; true when something was not as it must be. */
  step(): boolean;
  /** Told once the stick has lost its power and starts anew, still unplugged. */
  onRestart: () => void;
  boot(power: "orderly" | "cut", how: "good" | "other-kernel" | "no-launch"): Promise<void>;
}

export async function createWorld(seed: number, sabotage: Sabotage = () => undefined): Promise<World> {
  const { ekRoot, state } = await tpmOf(seed);
  const source = seededSource(seed);
  const clock = new CountingClock();
  const pace = paceOf(clock);
  const trace = new Trace(clock);
  const platform = builtInProfiles.get("apu2") ?? [...builtInProfiles.values()][0];
  if (platform === undefined) throw new Error("no platform");
  const oracle = new Oracle(clock, platform);
  const flash = watchedFlash(createStickFlash(GEOMETRY, tearBits(createDice(seed, "flash"))), oracle, trace);
  const store = createMemoryStateStore(state);
  const tpm = watchedTpm(createTpmEmulator({ random: source.random("tpm"), clock, state: store }), oracle);
  const twin = new Twin({
    ...{ api: "v1", profile: "strict", key: "ecc", pace, tpm, platform, flash, ekRoot, owner: theOwner() },
    calendar: source.calendar,
    random: (part) => source.random(part),
    fault: faultOf(
      createDice(seed, "link"),
      () => world.weather,
      () => world.isLinkCut,
    ),
    ...witness(oracle, trace),
  });
  let token: Token | undefined;
  const meet = (): void => {
    if (token === twin.token) return;
    const isFirst = token === undefined;
    token = twin.token;
    sabotage(token);
    oracle.watch(token);
    if (!isFirst) world.onRestart();
  };
  const world: World = {
    ...{ twin, oracle, trace, flash, weather: CALM, isLinkCut: false, onRestart: () => undefined },
    step() {
      meet();
      oracle.step(twin, clock.waiting, MAX_TIMERS);
      return oracle.violation !== undefined;
    },
    async boot(power, how) {
      oracle.isGood = false;
      const booted = how === "other-kernel" ? { ...FILES, commandLine: `${FILES.commandLine} init=/bin/sh` } : FILES;
      await twin.boot(booted, { launch: how !== "no-launch", power });
      oracle.isGood = how === "good";
    },
  };
  await twin.tpm.startUp({ platform: tpm.platform, own: true });
  meet();
  return world;
}

/** The oracle learns at once when the power fails within a change, and when it is back. */
function watchedFlash(flash: StickFlash, oracle: Oracle, trace: Trace): StickFlash {
  return {
    ...flash,
    cutAfter(changes, onCut) {
      flash.cutAfter(changes, () => {
        oracle.hasPower = false;
        trace.tell("the power fails within a change of the flash");
        onCut();
      });
    },
    powerUp() {
      oracle.hasPower = true;
      flash.powerUp();
    },
  };
}

function watchedTpm({ transport, platform }: TpmEmulator, oracle: Oracle): TwinOptions["tpm"] {
  return {
    platform,
    transport: {
      send(command, signal) {
        oracle.commanded(command);
        return transport.send(command, signal);
      },
      close: () => transport.close(),
    },
  };
}

/** Frames are seen as the token has them: after what befell them on the way to it, before what does on the way from it. */
function witness(oracle: Oracle, trace: Trace): Required<Pick<TwinOptions, "onFrame" | "onLamps" | "onLog">> {
  return {
    onFrame(direction, frame) {
      trace.frame(direction, frame);
      if (direction === "to-token") oracle.peers.heard(frame);
      else if (oracle.hasPower && oracle.peers.leaks(frame))
        oracle.fail("the file goes to a peer that is not attested");
    },
    onLamps: (lamps) => trace.tell(`lamps: ${nameLamps(lamps)}`),
    onLog({ from, level, message }) {
      if (from !== "token") return;
      trace.tell(`token: ${message}`);
      if (level === "error") oracle.fail(`the token's log: ${message}`);
    },
  };
}
