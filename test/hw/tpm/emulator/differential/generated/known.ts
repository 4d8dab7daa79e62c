/** Differences between the emulator and swtpm that are known and have a reason; docs/tpm.md lists them for people. */
import { explainRc, TpmRc } from "../../../../../../shared/tpm/index.ts";
import type { Step } from "./step.ts";

interface Known {
  readonly because: string;
  readonly fits: (step: Step, emulator: number, swtpm: number) => boolean;
}

/** Both must refuse: otherwise what follows would be another history. */
export const KNOWN: readonly Known[] = [
  {
    because:
      "the emulator reads a structure to its end before it looks at the values in it; libtpms judges each as it comes",
    fits: (step, emulator, swtpm) =>
      step.kind === "command" && step.cut !== undefined && isShort(emulator) && subject(emulator) === subject(swtpm),
  },
];

const subject = (rc: number): string => JSON.stringify(explainRc(rc).subject);

function isShort(rc: number): boolean {
  const { base } = explainRc(rc);
  return base === TpmRc.INSUFFICIENT || base === TpmRc.SIZE;
}

export function isKnown(step: Step, emulator: number, swtpm: number): boolean {
  return emulator !== 0 && swtpm !== 0 && KNOWN.some(({ fits }) => fits(step, emulator, swtpm));
}

/**
 * libtpms fails, and answers nothing else until it is started again, at an HMAC session that is bound to something and authorizes a key
 * of which only the public area is loaded. The emulator refuses.
 */
export function endsHistory(emulator: number, swtpm: number): boolean {
  return swtpm === TpmRc.FAILURE && emulator === TpmRc.AUTH_UNAVAILABLE;
}
