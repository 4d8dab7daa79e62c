import type { Lamps } from "../../shared/ports/index.ts";
import type { LedEvent } from "./event.ts";

/** Published codes: docs/blink-codes.md. One blink is 100 ms lit and 100 ms dark. */
const BLINK_MS = 100;
const IDLE_PERIOD_MS = 5_000;
const RED_MS = 5_000;
/** API v0 has no sessions: a verdict shows for ten seconds. */
const V0_VERDICT_MS = 10_000;
const PULSES = { "token-provisioned": 1, "platform-provisioned": 3, "platform-refused": 3, wiped: 3 } as const;

const DARK: Lamps = { green: false, red: false };

type Lamp = "green" | "red";

interface Pulse {
  readonly lamp: Lamp;
  readonly from: number;
  readonly count: number;
}

/** No more wait to be shown: beyond, news are not blinked. */
const MAX_PULSES = 4;

export interface LedState {
  readonly api: "v0" | "v1";
  readonly provisioned: boolean;
  /** A stick has its power from the port: unplugged, it is dark. */
  readonly powered: boolean;
  /** Blinks in front of everything else, one after the other. */
  readonly pulses: readonly Pulse[];
  /** Attested sessions that live (API v1). */
  readonly attested: number;
  /** API v0: how long green shows. */
  readonly greenUntil: number;
  readonly redUntil: number;
  readonly idleSince: number;
}

export function initialLeds(api: "v0" | "v1", provisioned: boolean, now: number): LedState {
  return {
    api,
    provisioned,
    powered: true,
    pulses: [],
    attested: 0,
    greenUntil: now,
    redUntil: now,
    idleSince: now,
  };
}

/** The state after an event. Success and failure are not exclusive: a red does not end another session's green. */
export function next(state: LedState, event: LedEvent, now: number): LedState {
  const pulses = (lamp: Lamp, count: number) => queued(state.pulses, lamp, count, now);
  switch (event.type) {
    case "token-provisioned":
      return { ...state, provisioned: true, pulses: pulses("green", PULSES[event.type]), idleSince: now };
    case "platform-provisioned":
      return { ...state, pulses: pulses("green", PULSES[event.type]) };
    case "platform-refused":
      return state.api === "v0" ? { ...state, pulses: pulses("red", PULSES[event.type]) } : state;
    case "attested":
      return state.api === "v0" ? { ...state, greenUntil: verdictEnd(state, now), redUntil: now } : state;
    case "attestation-failed":
      return state.api === "v0"
        ? { ...state, greenUntil: now, redUntil: verdictEnd(state, now) }
        : { ...state, redUntil: now + RED_MS, idleSince: now + RED_MS };
    case "attested-sessions":
      return withSessions(state, event.count, now);
    case "attached":
      return initialLeds(state.api, state.provisioned, now);
    case "detached":
      return { ...initialLeds(state.api, state.provisioned, now), powered: false };
    case "wiped": {
      const fresh = initialLeds(state.api, false, now);
      return { ...fresh, powered: state.powered, pulses: queued([], "green", PULSES[event.type], now) };
    }
  }
}

function withSessions(state: LedState, attested: number, now: number): LedState {
  if (state.api === "v0" || state.attested === attested) return state;
  return { ...state, attested, idleSince: Math.max(now, state.redUntil) };
}

const endOf = ({ from, count }: Pulse): number => from + 2 * BLINK_MS * count;

/** News that come while older ones still blink wait for their turn: over a fast link everything happens within one blink. */
function queued(pulses: readonly Pulse[], lamp: Lamp, count: number, now: number): readonly Pulse[] {
  const waiting = pulses.filter((pulse) => endOf(pulse) > now);
  if (waiting.length >= MAX_PULSES) return waiting;
  return [...waiting, { lamp, from: Math.max(now, ...waiting.map(endOf)), count }];
}

/** A verdict that comes while blinks still run shows its whole time after them. */
function verdictEnd({ pulses }: LedState, now: number): number {
  return Math.max(now, ...pulses.map(endOf)) + V0_VERDICT_MS;
}

function pulseAt({ pulses }: LedState, now: number): Pulse | undefined {
  return pulses.find((pulse) => pulse.from <= now && now < endOf(pulse));
}

/** What the lamps show at `now`. Never waits: callers may ask for any instant, in any order. */
export function lampsAt(state: LedState, now: number): Lamps {
  if (!state.powered) return DARK;
  const pulse = pulseAt(state, now);
  if (pulse !== undefined) {
    const slot = Math.floor((now - pulse.from) / BLINK_MS); // even: lit, odd: dark
    return over(oneLamp(pulse.lamp, slot % 2 === 0), state, now);
  }
  if (!state.provisioned) return oneLamp("red", true);
  const green = state.attested > 0 || now < state.greenUntil;
  const red = now < state.redUntil;
  if (green || red || state.api === "v0") return { green, red };
  const blink = now >= state.idleSince && (now - state.idleSince) % IDLE_PERIOD_MS < BLINK_MS;
  return { green: blink, red: blink };
}

/** Blinks never hide that a session of API v1 is attested, nor its failure; in v0 the verdict waits for their end. */
function over(blink: Lamps, state: LedState, now: number): Lamps {
  if (state.api === "v0") return blink;
  return { green: blink.green || state.attested > 0, red: blink.red || now < state.redUntil };
}

function oneLamp(lamp: Lamp, lit: boolean): Lamps {
  return { green: lit && lamp === "green", red: lit && lamp === "red" };
}

/** The first instant after `now` at which the lamps may differ; undefined when nothing but an event can change them. */
export function nextChangeAt(state: LedState, now: number): number | undefined {
  if (!state.powered) return undefined;
  const pulse = pulseAt(state, now);
  const ends = [state.greenUntil, state.redUntil].filter((end) => end > now);
  if (pulse !== undefined) {
    return Math.min(pulse.from + (Math.floor((now - pulse.from) / BLINK_MS) + 1) * BLINK_MS, ...ends);
  }
  if (!state.provisioned) return undefined;
  if (ends.length > 0) return Math.min(...ends);
  if (state.api === "v0" || state.attested > 0) return undefined;
  const into = (now - state.idleSince) % IDLE_PERIOD_MS;
  return now - into + (into < BLINK_MS ? BLINK_MS : IDLE_PERIOD_MS);
}
