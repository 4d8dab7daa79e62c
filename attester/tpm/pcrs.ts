/** PCRs: which there are, what they hold, extending. */
import { CodecError, equal } from "../../shared/bytes/index.ts";
import {
  commands,
  type PcrBank,
  pcrMask,
  pcrNumbers,
  pcrValue,
  TpmCap,
  type TpmlPcrSelection,
  tpmtHa,
} from "../../shared/tpm/index.ts";
import type { TpmRunner } from "./runner.ts";

const MAX_SNAPSHOTS = 5;
/** Changes of these do not move pcrUpdateCounter: TCG PC Client Platform TPM Profile, 4.6.2, TPM_PT_PCR_NO_INCREMENT. */
const UNCOUNTED = pcrMask([16, 21, 22, 23]);

/** The banks that are active and the PCRs that they have. A bank with an empty bitmap is known to the TPM but inactive. */
export async function activeBanks(tpm: TpmRunner): Promise<TpmlPcrSelection> {
  const { response } = await tpm.run(commands.GetCapability, {
    parameters: { capability: TpmCap.PCRS, property: 0, propertyCount: 1 },
  });
  const { capabilityData } = response;
  const banks = capabilityData.capability === TpmCap.PCRS ? capabilityData.data : [];
  return banks.filter(({ pcrSelect }) => pcrSelect !== 0);
}

/** Something extends PCRs again and again. */
export class PcrsChangingError extends Error {
  override readonly name = "PcrsChangingError";
}

/**
 * The selected PCRs, as they were at one moment: one command returns eight digests at most, and when a PCR is changed between two
 * of them all is read again. PCRs and banks that the TPM does not have are missing from the answer. A bank may be asked for once.
 * PcrsChangingError when they do not stand still, CodecError when the TPM answers with others than it was asked for.
 */
export async function readPcrs(tpm: TpmRunner, selection: TpmlPcrSelection): Promise<readonly PcrBank[]> {
  for (let tries = 0; tries < MAX_SNAPSHOTS; tries++) {
    const banks = await snapshot(tpm, selection);
    if (banks !== undefined) return banks;
  }
  throw new PcrsChangingError(`the PCRs changed while they were read, ${MAX_SNAPSHOTS} times`);
}

/** Undefined when a PCR was changed in between. */
async function snapshot(tpm: TpmRunner, selection: TpmlPcrSelection): Promise<readonly PcrBank[] | undefined> {
  const first = await readAll(tpm, selection);
  // The counter vouches for the counted ones from the first command to the last, one command for all that it returned.
  if (first === undefined || first.uncountedReads <= 1) return first?.banks;
  const again = await readAll(tpm, narrowed(selection, UNCOUNTED));
  return again !== undefined && holds(first.banks, again.banks) ? first.banks : undefined;
}

interface ReadBanks {
  readonly banks: readonly PcrBank[];
  /** Commands that returned PCRs whose changes the TPM does not count. */
  readonly uncountedReads: number;
}

/** Undefined when the TPM's counter of changes moved in between. */
async function readAll(tpm: TpmRunner, selection: TpmlPcrSelection): Promise<ReadBanks | undefined> {
  const values = new Map<number, Map<number, Uint8Array>>(selection.map(({ hash }) => [hash, new Map()]));
  let left = selection;
  let counter: number | undefined;
  let uncountedReads = 0;
  while (left.some(({ pcrSelect }) => pcrSelect !== 0)) {
    const { response } = await tpm.run(commands.PCR_Read, { parameters: { pcrSelectionIn: left } });
    const { pcrUpdateCounter, pcrSelectionOut, pcrValues } = response;
    if (counter !== undefined && counter !== pcrUpdateCounter) return undefined;
    counter = pcrUpdateCounter;
    const got = answered(left, pcrSelectionOut);
    if (pcrValues.length !== got.length) throw wrongAnswer("pcrValues", `${pcrValues.length} of ${got.length} PCRs`);
    if (got.length === 0) break;
    if (narrowed(pcrSelectionOut, UNCOUNTED).length > 0) uncountedReads++;
    got.forEach(({ hash, pcr }, i) => {
      const value = pcrValues[i];
      if (value !== undefined) values.get(hash)?.set(pcr, value);
    });
    left = without(left, pcrSelectionOut);
  }
  return { banks: selection.flatMap(({ hash }) => bankOf(hash, values.get(hash))), uncountedReads };
}

/** The PCRs of an answer in the order of their values. CodecError for one that was not asked for: reading until none is left would not end. */
function answered(asked: TpmlPcrSelection, given: TpmlPcrSelection): readonly { hash: number; pcr: number }[] {
  let left = asked;
  return given.flatMap((bank) => {
    if (without([bank], left).length > 0) throw wrongAnswer("pcrSelectionOut", "PCRs that were not asked for");
    left = without(left, [bank]);
    return pcrNumbers(bank.pcrSelect).map((pcr) => ({ hash: bank.hash, pcr }));
  });
}

function wrongAnswer(field: string, problem: string): CodecError {
  return new CodecError(problem, `TPM2_PCR_Read response.${field}`, 0);
}

/** What of a selection is in the mask, without banks of which nothing is. */
function narrowed(selection: TpmlPcrSelection, mask: number): TpmlPcrSelection {
  return selection
    .map(({ hash, pcrSelect }) => ({ hash, pcrSelect: pcrSelect & mask }))
    .filter(({ pcrSelect }) => pcrSelect !== 0);
}

/** Whether `banks` has every value of `part`. */
function holds(banks: readonly PcrBank[], part: readonly PcrBank[]): boolean {
  return part.every((bank) => {
    const whole = banks.find(({ hash }) => hash === bank.hash);
    return pcrNumbers(bank.pcrSelect).every((pcr) => {
      const [then, now] = [whole && pcrValue(whole, pcr), pcrValue(bank, pcr)];
      return then !== undefined && now !== undefined && equal(then, now);
    });
  });
}

function without(selection: TpmlPcrSelection, done: TpmlPcrSelection): TpmlPcrSelection {
  return selection
    .map(({ hash, pcrSelect }) => {
      const read = done.filter((bank) => bank.hash === hash).reduce((mask, bank) => mask | bank.pcrSelect, 0);
      return { hash, pcrSelect: pcrSelect & ~read };
    })
    .filter(({ pcrSelect }) => pcrSelect !== 0);
}

function bankOf(hash: number, values: ReadonlyMap<number, Uint8Array> | undefined): readonly PcrBank[] {
  if (values === undefined || values.size === 0) return [];
  const pcrs = [...values.keys()].sort((a, b) => a - b);
  return [{ hash, pcrSelect: pcrMask(pcrs), values: pcrs.map((pcr) => values.get(pcr) ?? new Uint8Array(0)) }];
}

/** A digest for one bank. */
export interface BankDigest {
  readonly hash: number;
  readonly digest: Uint8Array;
}

/** Extends a PCR in the banks named; the locality is that of the transport. */
export async function extendPcr(tpm: TpmRunner, pcr: number, digests: readonly BankDigest[]): Promise<void> {
  await tpm.run(commands.PCR_Extend, {
    handles: [pcr],
    parameters: { digests: digests.map(({ hash, digest }) => tpmtHa(hash, digest)) },
  });
}

export async function resetPcr(tpm: TpmRunner, pcr: number): Promise<void> {
  await tpm.run(commands.PCR_Reset, { handles: [pcr], parameters: {} });
}
