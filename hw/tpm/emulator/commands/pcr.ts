import { digest } from "../../../../shared/crypto/index.ts";
import {
  commands,
  hashAlgOf,
  hashNameOf,
  pcrNumbers,
  type TpmlPcrSelection,
  TpmRc,
  TpmRh,
  type TpmtHa,
  tpmtHa,
} from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { isStateSaved, mayExtend, mayReset, PCR_BANKS, type PcrBank } from "../pcr.ts";
import { refuse } from "../refusal.ts";
import { hashOf, isSelection } from "./checks.ts";

/** Part 3, 22: integrity collection. */

/** HASH_COUNT: digests of one TPM2_PCR_Extend. */
const MAX_DIGESTS = 4;
/** TPML_DIGEST holds so many (Part 2, 10.9.3). */
const MAX_READ = 8;

/** TPML_DIGEST_VALUES. */
function isDigestValues(digests: readonly TpmtHa[]): void {
  if (digests.length > MAX_DIGESTS) refuse(TpmRc.SIZE);
  for (const { hashAlg } of digests) hashOf(hashAlg);
}

const extend = handler(
  commands.PCR_Extend,
  { handles: ["pcr+"], nv: true, values: { digests: isDigestValues } },
  ({ tpm, handle, parameters: { digests } }) => {
    const pcr = handle(0);
    if (pcr === TpmRh.NULL) return { response: {} };
    prepareExtend(tpm, pcr);
    extendEvent(tpm, pcr, digests);
    return { response: {} };
  },
);

/** Before a register is extended: at this locality it must be allowed. */
export function prepareExtend(tpm: Machine, pcr: number): void {
  if (!mayExtend(pcr, tpm.locality)) refuse(TpmRc.LOCALITY);
  if (isStateSaved(pcr)) tpm.noLongerOrderly();
}

/** Extends a register in the bank of each digest; a bank that this TPM does not have is passed over. */
export function extendEvent(tpm: Machine, pcr: number, digests: readonly TpmtHa[]): void {
  for (const { hashAlg, digest } of digests) {
    const bank = bankOf(hashAlg);
    if (bank !== undefined) tpm.ram.pcrs.extend(bank, pcr, digest);
  }
}

const event = handler(
  commands.PCR_Event,
  { handles: ["pcr+"], nv: true },
  ({ tpm, handle, parameters: { eventData } }) => {
    const pcr = handle(0);
    if (pcr !== TpmRh.NULL) prepareExtend(tpm, pcr);
    const digests = PCR_BANKS.map((bank) => tpmtHa(hashAlgOf(bank), digest(bank, eventData)));
    if (pcr !== TpmRh.NULL) extendEvent(tpm, pcr, digests);
    return { response: { digests } };
  },
);

const reset = handler(commands.PCR_Reset, { handles: ["pcr"], nv: true }, ({ tpm, handle }) => {
  const pcr = handle(0);
  if (!mayReset(pcr, tpm.locality)) refuse(TpmRc.LOCALITY);
  tpm.ram.pcrs.reset(pcr);
  return { response: {} };
});

const read = handler(
  commands.PCR_Read,
  { values: { pcrSelectionIn: isSelection } },
  ({ tpm, parameters: { pcrSelectionIn } }) => {
    const { pcrs } = tpm.ram;
    let room = MAX_READ;
    const pcrSelectionOut: { hash: number; pcrSelect: number }[] = [];
    const pcrValues: Uint8Array[] = [];
    for (const { hash, pcrSelect } of implemented(pcrSelectionIn)) {
      let selected = 0;
      for (const pcr of pcrNumbers(pcrSelect)) {
        const bank = bankOf(hash);
        if (room === 0 || bank === undefined) break;
        pcrValues.push(pcrs.read(bank, pcr));
        selected |= 1 << pcr;
        room--;
      }
      pcrSelectionOut.push({ hash, pcrSelect: selected });
    }
    return { response: { pcrUpdateCounter: pcrs.updateCounter, pcrSelectionOut, pcrValues } };
  },
);

export const pcrCommands = [extend, event, reset, read] as const;

function bankOf(hashAlg: number): PcrBank | undefined {
  const name = hashNameOf(hashAlg);
  return PCR_BANKS.find((bank) => bank === name);
}

/** The selection as far as there are such PCRs: banks that this TPM does not have select nothing. */
export function implemented(selection: TpmlPcrSelection): TpmlPcrSelection {
  return selection.map(({ hash, pcrSelect }) => ({ hash, pcrSelect: bankOf(hash) === undefined ? 0 : pcrSelect }));
}

/** The values that a selection names, in its order, each bank from PCR 0 on. */
export function selectedValues(tpm: Machine, selection: TpmlPcrSelection): readonly Uint8Array[] {
  return selection.flatMap(({ hash, pcrSelect }) => {
    const bank = bankOf(hash);
    return bank === undefined ? [] : pcrNumbers(pcrSelect).map((pcr) => tpm.ram.pcrs.read(bank, pcr));
  });
}
