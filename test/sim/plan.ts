import { createDice, type Dice } from "./dice.ts";

/** What frames go through for a while; shares of all frames, delays up to so many milliseconds. */
export interface Weather {
  readonly lose: number;
  readonly double: number;
  readonly damage: number;
  readonly delay: number;
  readonly delayMs: number;
}

export const CALM: Weather = { lose: 0, double: 0, damage: 0, delay: 0, delayMs: 0 };

/** Whose clock: the stick's, the computer's, its TPM's. */
export type ClockOwner = "token" | "computer" | "tpm";

type Trouble =
  | { readonly what: "weather"; readonly weather: Weather; readonly forMs: number }
  | { readonly what: "link-cut"; readonly forMs: number }
  | { readonly what: "unplug"; readonly forMs: number }
  /** `again`: after how many changes of its recovery the power fails once more, start after start. */
  | {
      readonly what: "power-cut-at-change";
      readonly changes: number;
      readonly again: readonly number[];
      readonly forMs: number;
    }
  | { readonly what: "power-cut"; readonly forMs: number }
  | { readonly what: "move-sticks"; readonly forMs: number }
  | { readonly what: "tpm-reset"; readonly forMs: number }
  | { readonly what: "boot"; readonly power: "orderly" | "cut" }
  | { readonly what: "other-boot"; readonly launch: boolean; readonly forMs: number }
  | { readonly what: "kill-attester" }
  | { readonly what: "steal-port" }
  | { readonly what: "stranger"; readonly flood: number }
  | { readonly what: "write"; readonly sizeBytes: number }
  | { readonly what: "rename" }
  | { readonly what: "remove" }
  | { readonly what: "clock-jumps"; readonly whose: ClockOwner; readonly byMs: number }
  | { readonly what: "clock-stands"; readonly whose: ClockOwner; readonly forMs: number }
  | { readonly what: "calendar"; readonly daysOff: number; readonly forMs: number }
  | { readonly what: "wipe" };

/** Something that befalls one of the computers, or what is in its port, at an instant of the virtual clock. */
export type Planned = Trouble & { readonly atMs: number; readonly computer: number };

export type KeyKind = "ecc" | "rsa";

/** How a computer is used: it attests again and again, or now and then and reads and writes its file. */
export interface ComputerPlan {
  readonly manner: "watch" | "files";
  readonly key: KeyKind;
}

export interface Plan {
  readonly sticks: number;
  readonly computers: readonly [ComputerPlan, ...ComputerPlan[]];
  readonly troubles: readonly Planned[];
}

const TROUBLE_MS = 45_000;
/** The first to change the flash are owner and enrolment; only they look at the calendar. */
const PROVISIONING_MS = 1_000;
/** Longest that a frame is late. */
export const MAX_DELAY_MS = 2_000;
const MAX_DAYS_OFF = 20_000;

const atChange = (dice: Dice, most: number): Trouble => ({
  what: "power-cut-at-change",
  changes: dice.from(0, most),
  again: dice.chance(0.4) ? Array.from({ length: dice.from(1, 3) }, () => dice.from(0, 2)) : [],
  forMs: dice.from(1, 4_000),
});
const aClock = (dice: Dice): ClockOwner => dice.pick(["token", "computer", "tpm"]);

const draws: readonly [(dice: Dice) => Trouble, ...((dice: Dice) => Trouble)[]] = [
  (dice) => ({ what: "weather", weather: weatherOf(dice), forMs: dice.from(1_000, 15_000) }),
  (dice) => ({ what: "weather", weather: weatherOf(dice), forMs: dice.from(1_000, 15_000) }),
  (dice) => ({ what: "link-cut", forMs: dice.from(100, 8_000) }),
  (dice) => ({ what: "unplug", forMs: dice.from(1, 5_000) }),
  (dice) => atChange(dice, 8),
  (dice) => atChange(dice, 2),
  (dice) => ({ what: "power-cut", forMs: dice.from(1, 4_000) }),
  (dice) => ({ what: "tpm-reset", forMs: dice.from(1_000, 8_000) }),
  (dice) => ({ what: "boot", power: dice.pick(["orderly", "cut"]) }),
  (dice) => ({ what: "other-boot", launch: dice.chance(0.7), forMs: dice.from(2_000, 12_000) }),
  () => ({ what: "kill-attester" }),
  () => ({ what: "steal-port" }),
  (dice) => ({ what: "stranger", flood: dice.chance(0.3) ? dice.from(1, 60) : 0 }),
  (dice) => ({ what: "write", sizeBytes: dice.from(64, 3_000) }),
  (dice) => ({ what: "write", sizeBytes: dice.from(64, 3_000) }),
  (dice) => ({ what: "move-sticks", forMs: dice.from(1, 4_000) }),
  (dice) => ({ what: "move-sticks", forMs: dice.from(1, 4_000) }),
  (dice) => ({ what: "clock-jumps", whose: aClock(dice), byMs: dice.from(1, 300_000) }),
  (dice) => ({ what: "clock-stands", whose: aClock(dice), forMs: dice.from(100, 10_000) }),
  (dice) => ({ what: "calendar", daysOff: dice.from(-MAX_DAYS_OFF, MAX_DAYS_OFF), forMs: dice.from(1_000, 15_000) }),
  () => ({ what: "rename" }),
  (dice) => (dice.chance(0.3) ? { what: "wipe" } : dice.chance(0.3) ? { what: "remove" } : { what: "kill-attester" }),
];

function weatherOf(dice: Dice): Weather {
  const share = (most: number) => (dice.chance(0.5) ? dice.from(0, most) / 100 : 0);
  const shares = { lose: share(40), double: share(40), damage: share(20), delay: share(60) };
  return { ...shares, delayMs: dice.from(1, MAX_DELAY_MS) };
}

/** Everything that will befall the run of a seed, in the order of time. */
export function planOf(seed: number): Plan {
  const dice = createDice(seed, "plan");
  const computer = (): ComputerPlan => ({
    manner: dice.chance(0.3) ? "watch" : "files",
    key: dice.chance(0.3) ? "rsa" : "ecc",
  });
  const computers: Plan["computers"] = dice.chance(0.3) ? [computer(), computer()] : [computer()];
  const sticks = dice.chance(0.3) ? 2 : 1;
  const troubles = Array.from({ length: dice.from(3, 9) }, (): Planned => {
    const trouble = dice.pick(draws)(dice);
    const isEarly = (trouble.what === "power-cut-at-change" || trouble.what === "calendar") && dice.chance(0.5);
    const atMs = dice.from(0, isEarly ? PROVISIONING_MS : TROUBLE_MS);
    return { ...trouble, atMs, computer: dice.from(0, computers.length - 1) };
  });
  return { sticks, computers, troubles: troubles.sort((a, b) => a.atMs - b.atMs) };
}

/** In one line. */
export function describePlan({ sticks, computers }: Plan): string {
  const uses = computers.map(({ manner, key }) => `${manner} with ${key}`).join(", ");
  return `${sticks} ${sticks === 1 ? "stick" : "sticks"}; computers: ${uses}`;
}

/** In one line. */
export function describePlanned({ what, atMs, ...more }: Planned): string {
  const details = Object.entries(more).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${(atMs / 1000).toFixed(3)} s ${[what, ...details].join(", ")}`;
}
