import { createRamFlash } from "../../../hw/flash/index.ts";
import type { Lamps } from "../../../shared/ports/index.ts";
import type { FileLimits } from "../../../token/domain/files.ts";
import type { Profile } from "../../../token/domain/profile.ts";
import type { Lie } from "./lie.ts";

/** One decision of the profile the other way. */
export function decides(setting: Partial<Profile>): Lie {
  const [[row, value] = []] = Object.entries(setting);
  return { name: `decides ${row} as ${String(value)}`, profile: (honest) => ({ ...honest, ...setting }) };
}

/** Its second lasts so many times longer. */
export function clockTimes(factor: number): Lie {
  return {
    name: `has a clock whose second lasts ${factor} s`,
    clock: (honest) => ({
      now: () => honest.now() / factor,
      after: (ms, run) => honest.after(ms * factor, run),
    }),
  };
}

/** Sessions live twice as long. */
export const slow: Lie = clockTimes(2);
/** Sessions live half as long. */
export const fast: Lie = clockTimes(0.5);

export function keeps(storage: Partial<FileLimits>): Lie {
  const [[limit, value] = []] = Object.entries(storage);
  return { name: `limits ${limit} to ${value}`, storage };
}

/** Ids one after the other. */
export const countsIds: Lie = {
  name: "counts where it should draw at random",
  random() {
    let count = 0;
    return {
      bytes(size) {
        count++;
        const bytes = new Uint8Array(size);
        for (let i = 0, left = count; i < 4 && i < size; i++, left >>>= 8) bytes[size - 1 - i] = left & 0xff;
        return bytes;
      },
    };
  },
};

/** Forgets everything with the power. */
export const forgetful: Lie = (() => {
  const powered = new WeakSet<object>();
  return {
    name: "forgets everything without power",
    flash(honest) {
      if (!powered.has(honest)) {
        powered.add(honest);
        return honest;
      }
      return createRamFlash(honest.geometry);
    },
  } satisfies Lie;
})();

/** Lamps that show something else; `lit` are those that were shown before. */
export function lampLie(name: string, show: (lamps: Lamps, lit: Lamps) => Lamps): Lie {
  return {
    name,
    leds(honest) {
      let lit: Lamps = { green: false, red: false };
      return {
        show(lamps) {
          lit = { green: lit.green || lamps.green, red: lit.red || lamps.red };
          honest.show(show(lamps, lit));
        },
      };
    },
  };
}

export const noGreen: Lie = lampLie("has no green lamp", ({ red }) => ({ green: false, red }));
export const noRed: Lie = lampLie("has no red lamp", ({ green }) => ({ green, red: false }));
export const greenSticks: Lie = lampLie("leaves green on once it was lit", ({ red }, { green }) => ({ green, red }));
export const redSticks: Lie = lampLie("leaves red on once it was lit", ({ green }, { red }) => ({ green, red }));
export const redHidesGreen: Lie = lampLie("shows no green beside red", ({ green, red }) => ({
  green: green && !red,
  red,
}));
