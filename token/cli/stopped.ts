import { Exit, Stop } from "../../attester/cli/exit.ts";
import { isYes } from "../../attester/owner/cli/question.ts";
import type { FileFlash } from "../../hw/flash/index.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { DEFAULT_POLICY } from "../../shared/protocol/index.ts";
import { createDomain, type Domain, type PlatformEntry } from "../domain/domain.ts";
import { STRICT } from "../domain/profile.ts";
import { openStore } from "../storage/index.ts";
import { hasState, openStateFlash, stateStop } from "./state.ts";

/** What is in the flash of a stopped token. */
export interface StoppedToken {
  readonly flash: FileFlash;
  readonly store: ReturnType<typeof openStore>;
  /** Its rules, with nobody listening. No profile's row matters to what is done with a stopped token. */
  readonly domain: Domain;
}

/** Refuses, with a sentence, where no token ever ran. */
export function demandState(state: string, undone: string): void {
  if (!hasState(state)) throw new Stop(Exit.Usage, `${state} holds no token's state: ${undone}`);
}

/** Opens the flash of a token that is not running, runs `use`, and gives it back. Throws Stop with a sentence. */
export async function withFlash<T>(state: string, use: (flash: FileFlash) => T | Promise<T>): Promise<T> {
  demandState(state, "a token must have run there");
  const flash = openStateFlash(state);
  try {
    return await use(flash);
  } catch (error) {
    throw stateStop(state, error);
  } finally {
    flash.close();
  }
}

/** As `withFlash`, with what the flash holds. */
export function withStoppedToken<T>(state: string, use: (token: StoppedToken) => T | Promise<T>): Promise<T> {
  return withFlash(state, (flash) => {
    const store = openStore(flash);
    const domain = createDomain({ store, random: systemRandom, profile: STRICT, policy: DEFAULT_POLICY });
    return use({ flash, store, domain });
  });
}

/** Asks on the terminal; throws Stop without one, and for any answer but yes. */
export async function demandYes(
  question: string,
  what: { readonly done: string; readonly undone: string },
): Promise<void> {
  if (process.stdin.isTTY !== true) {
    throw new Stop(Exit.Usage, `there is no terminal to ask on: --yes ${what.done} without asking`);
  }
  if (!(await isYes(question))) throw new Stop(Exit.Refused, what.undone);
}

/** The one platform whose id begins with these digits, or that its owner calls so. Throws Stop. */
export function platformCalled({ domain }: StoppedToken, text: string): PlatformEntry {
  const digits = text.toLowerCase();
  const isPrefix = /^[0-9a-f]{1,64}$/.test(digits);
  const found = domain
    .listPlatforms()
    .filter(({ summary, name }) => (isPrefix && summary.id.startsWith(digits)) || (name !== "" && name === text));
  const [platform, ...more] = found;
  if (platform === undefined) throw new Stop(Exit.Refused, `the token has no platform "${text}"`);
  if (more.length === 0) return platform;
  const ids = found.map(({ summary }) => summary.id).join(" or ");
  throw new Stop(Exit.Refused, `"${text}" may be ${ids}: more digits are needed`);
}

/** Digits of a platform id that people are shown: they will do where an id is asked for, nearly always. */
export const SHOWN_DIGITS = 12;
