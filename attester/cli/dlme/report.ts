import { toHex } from "../../../shared/bytes/index.ts";
import { bankName, stepOf } from "../../../shared/event-log/index.ts";
import { type PcrBank, pcrNumbers, pcrValue } from "../../../shared/tpm/index.ts";
import { type PredictedStep, type Prediction, predictedEvent } from "../../dlme/index.ts";

/** Predictions as lines for people, and as the JSON that `fobnail dlme diff` reads. */

/** `PCR 17  loader   SKINIT (4096 bytes)`. */
export function stepLines({ steps }: Prediction): readonly string[] {
  return steps.map(({ pcr, locality, event, bytes }) => {
    return `PCR ${String(pcr).padStart(2)}  locality ${locality}  ${event} (${bytes} bytes)`;
  });
}

/** The values of the PCRs that a boot fills, and of 17 and 18 whatever happened. */
export function valueLines(steps: readonly PredictedStep[], banks: readonly PcrBank[]): readonly string[] {
  const told = new Set([...steps.map(({ pcr }) => pcr), 17, 18]);
  return banks.flatMap((bank) => {
    const values = pcrNumbers(bank.pcrSelect)
      .filter((pcr) => told.has(pcr))
      .map((pcr) => `  ${String(pcr).padStart(2)}: ${toHex(pcrValue(bank, pcr) ?? new Uint8Array(0))}`);
    return [`${bankName(bank.hash)}:`, ...values];
  });
}

/** PCR values by bank and number. */
export function valuesJson(banks: readonly PcrBank[]): Record<string, Record<string, string>> {
  return Object.fromEntries(
    banks.map(({ hash, pcrSelect, values }) => {
      const own = pcrNumbers(pcrSelect).map((pcr, i) => [pcr, toHex(values[i] ?? new Uint8Array(0))]);
      return [bankName(hash), Object.fromEntries(own)];
    }),
  );
}

/** What `fobnail dlme predict --json` prints. */
export function predictionJson(prediction: Prediction): object {
  return {
    prediction: 1,
    steps: prediction.steps.map((predicted) => {
      const { digests, ...step } = predicted;
      const own = digests.map(({ hash, digest }) => [bankName(hash), toHex(digest)]);
      return { step: stepOf(predictedEvent(predicted)), ...step, digests: Object.fromEntries(own) };
    }),
    pcrs: valuesJson(prediction.banks),
  };
}
