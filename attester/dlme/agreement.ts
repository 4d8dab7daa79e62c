import { equal, toHex } from "../../shared/bytes/index.ts";
import { bankName, decodeTcgLog, encodeTcgLog, replayLog, type TcgLog } from "../../shared/event-log/index.ts";
import { type PcrBank, pcrNumbers, pcrValue } from "../../shared/tpm/index.ts";
import { expectedPcr, type Measurement, startOfPcr } from "./measurement.ts";

/** What a PCR holds, what its log gives, and what the measurements should have given: three values that must be one. */
export interface Disagreement {
  /** TPM_ALG_ID. */
  readonly hash: number;
  readonly pcr: number;
  readonly tpm: Uint8Array;
  /** Of the logs as they are written to files; a PCR that is in none has its start value. */
  readonly log: Uint8Array;
  readonly expected: Uint8Array;
}

/** All PCRs of all banks in which TPM, log and measurements are not the same. CodecError when a log cannot be read back. */
export function disagreements(
  measurements: readonly Measurement[],
  logs: readonly TcgLog[],
  banks: readonly PcrBank[],
): readonly Disagreement[] {
  const events = logs.flatMap((log) => decodeTcgLog(encodeTcgLog(log)).events);
  return banks.flatMap((bank) => {
    const { hash } = bank;
    const replayed = replayLog(events, hash);
    return pcrNumbers(bank.pcrSelect).flatMap((pcr): readonly Disagreement[] => {
      const tpm = pcrValue(bank, pcr) ?? new Uint8Array(0);
      const expected = expectedPcr(measurements, hash, pcr);
      const log = replayed.get(pcr) ?? startOfPcr(measurements, hash, pcr);
      return equal(tpm, expected) && equal(log, expected) ? [] : [{ hash, pcr, tpm, log, expected }];
    });
  });
}

/** A sentence for people. */
export function describeDisagreement({ hash, pcr, tpm, log, expected }: Disagreement): string {
  const values = `the TPM holds ${toHex(tpm)}, the log gives ${toHex(log)}, the measurements give ${toHex(expected)}`;
  return `TPM, log and replay do not agree on PCR ${pcr} in ${bankName(hash)}: ${values}`;
}
