/** PCRs as masks, banks and replayed values. */
import { digest, digestSize } from "../crypto/index.ts";
import { TpmLimit } from "./constants.ts";
import { hashNameOf } from "./hash.ts";
import type { TpmlPcrSelection } from "./pcr-selection.ts";

/** The values of one bank; `values` holds the digests of the set bits of `pcrSelect`, lowest PCR first. */
export interface PcrBank {
  readonly hash: number;
  readonly pcrSelect: number;
  readonly values: readonly Uint8Array[];
}

/** All 24 PCRs. */
export const ALL_PCRS = 2 ** TpmLimit.PCRS - 1;

/** The numbers of the set bits, lowest first. Masks may reach bit 31 (as in the protocol's messages). */
export function pcrNumbers(mask: number): readonly number[] {
  const numbers: number[] = [];
  for (let pcr = 0; mask >>> pcr !== 0 && pcr < 32; pcr++) if (((mask >>> pcr) & 1) === 1) numbers.push(pcr);
  return numbers;
}

/** The mask of these PCRs. RangeError when one is not within 0..23. */
export function pcrMask(pcrs: readonly number[]): number {
  return pcrs.reduce((mask, pcr) => {
    if (!Number.isInteger(pcr) || pcr < 0 || pcr >= TpmLimit.PCRS) throw new RangeError(`there is no PCR ${pcr}`);
    return mask | (1 << pcr);
  }, 0);
}

/** The value of one PCR in a bank; undefined when the bank does not have it. */
export function pcrValue(bank: PcrBank, pcr: number): Uint8Array | undefined {
  const at = pcrNumbers(bank.pcrSelect).indexOf(pcr);
  return at < 0 ? undefined : bank.values[at];
}

/** What the banks hold, as a selection. */
export function selectionOf(banks: readonly PcrBank[]): TpmlPcrSelection {
  return banks.map(({ hash, pcrSelect }) => ({ hash, pcrSelect }));
}

/**
 * pcrDigest of a quote, Part 2, 10.12.4: the hash over the selected PCRs in the order of the selection, in each bank lowest first.
 * `hash` is that of the signing scheme. Undefined when the banks lack a selected PCR, or the hash is not one of ours.
 */
export function pcrDigest(
  hash: number,
  selection: TpmlPcrSelection,
  banks: readonly PcrBank[],
): Uint8Array | undefined {
  const name = hashNameOf(hash);
  const values = selection.flatMap(({ hash: bankHash, pcrSelect }) => {
    const bank = banks.find((candidate) => candidate.hash === bankHash);
    return pcrNumbers(pcrSelect).map((pcr) => (bank === undefined ? undefined : pcrValue(bank, pcr)));
  });
  if (name === undefined) return undefined;
  const present = values.filter((value) => value !== undefined);
  return present.length === values.length ? digest(name, ...present) : undefined;
}

/** PCR.new = H(PCR.old || digest), Part 1, 17.6. RangeError when the hash is not one of ours. */
function extend(hash: number, old: Uint8Array, value: Uint8Array): Uint8Array {
  return digest(knownHash(hash), old, value);
}

/** What a PCR holds after these extends, from zero, from `start`, or from all ones. */
export function replay(hash: number, values: readonly Uint8Array[], start?: Uint8Array): Uint8Array {
  return values.reduce((pcr, value) => extend(hash, pcr, value), start ?? pcrZero(hash));
}

/** The start value of PCRs 0 to 16 and 23, and of 17 to 22 after a dynamic launch. */
export function pcrZero(hash: number): Uint8Array {
  return new Uint8Array(digestSize(knownHash(hash)));
}

/** The start value of PCRs 17 to 22 without a dynamic launch: PC Client PTP, 4.6.2. */
export function pcrOnes(hash: number): Uint8Array {
  return pcrZero(hash).fill(0xff);
}

function knownHash(hash: number) {
  const name = hashNameOf(hash);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${hash.toString(16)} is no hash known here`);
  return name;
}
