import { CodecError } from "../../shared/bytes/index.ts";
import { DRTM_PCRS, decodeRim, type PolicyBank } from "../../shared/protocol/index.ts";
import { type PcrBank, pcrNumbers, pcrValue } from "../../shared/tpm/index.ts";
import { readableLog } from "./log-record.ts";
import { deniesLaunch } from "./replay.ts";

/** Reference or reported values; undefined when the bytes are no RIM, with the problem. */
export function readRim(bytes: Uint8Array): readonly PcrBank[] | CodecError {
  try {
    return decodeRim(bytes);
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

/** Whether the banks hold every PCR that the policy asks for. */
export function covers(banks: readonly PcrBank[], policy: readonly PolicyBank[]): boolean {
  return policy.every(({ algorithm, mask }) => {
    const bank = banks.find(({ hash }) => hash === algorithm);
    return bank !== undefined && pcrNumbers(mask).every((pcr) => pcrValue(bank, pcr) !== undefined);
  });
}

/** Whether a platform made a dynamic launch, as far as its reference values and its log, where it has one, tell. */
export function launches(
  banks: readonly PcrBank[],
  packedLog: Uint8Array | undefined,
  policy: readonly PolicyBank[],
): boolean {
  const log = packedLog && readableLog(packedLog);
  return showsDynamicLaunch(banks, policy) && (log === undefined || !deniesLaunch(banks, log, policy));
}

/**
 * Whether a dynamic launch stands in the banks of the policy: PCR 17 and 18 are there, and neither all ones (the state after
 * a reset without a launch) nor all zero (launched, but nothing measured).
 */
export function showsDynamicLaunch(banks: readonly PcrBank[], policy: readonly PolicyBank[]): boolean {
  return policy.every(({ algorithm }) => {
    const bank = banks.find(({ hash }) => hash === algorithm);
    return DRTM_PCRS.every((pcr) => {
      const value = bank === undefined ? undefined : pcrValue(bank, pcr);
      return (value?.some((byte) => byte !== 0) ?? false) && (value?.some((byte) => byte !== 0xff) ?? false);
    });
  });
}
