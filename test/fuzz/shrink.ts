const MAX_TRIES = 4_000;

/**
 * The shortest input found for which `fails` holds as it does for `input`: runs are left out, then bytes become 0. `fails` is asked
 * `maxTries` times at most.
 */
export function shrink(
  input: Uint8Array,
  fails: (input: Uint8Array) => boolean,
  maxTries: number = MAX_TRIES,
): Uint8Array {
  let best = input;
  let tries = 0;
  const attempt = (candidate: Uint8Array): boolean => {
    if (++tries > maxTries || !fails(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let run = best.byteLength >> 1; run >= 1; run >>= 1) {
    for (let at = 0; at < best.byteLength; ) {
      const without = Buffer.concat([best.subarray(0, at), best.subarray(at + run)]);
      if (!attempt(new Uint8Array(without))) at += run;
    }
  }
  for (let at = 0; at < best.byteLength; at++) {
    if (best[at] === 0) continue;
    const zeroed = best.slice();
    zeroed[at] = 0;
    attempt(zeroed);
  }
  return best;
}
