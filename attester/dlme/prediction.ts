import { utf8 } from "../../shared/bytes/index.ts";
import { EventType, type LogDigest, type LogEvent } from "../../shared/event-log/index.ts";
import { ALL_PCRS, type PcrBank, pcrNumbers, replay } from "../../shared/tpm/index.ts";
import { measuredEventType } from "../platform/index.ts";
import { lastLaunch, type Measurement, measurementDigest, startOfPcr } from "./measurement.ts";

/** What a boot will put into the PCRs, told without a TPM and without the files. */

export interface PredictedStep extends Pick<Measurement, "by" | "pcr" | "locality" | "event"> {
  /** Of what is measured. */
  readonly bytes: number;
  readonly digests: readonly LogDigest[];
}

export interface Prediction {
  readonly steps: readonly PredictedStep[];
  /** All 24 PCRs of each bank. */
  readonly banks: readonly PcrBank[];
}

/** RangeError when a bank is no hash of ours. */
export function predict(measurements: readonly Measurement[], banks: readonly number[]): Prediction {
  const steps = measurements.map((measurement): PredictedStep => {
    const { by, pcr, locality, event, data } = measurement;
    const digests = banks.map((hash) => ({ hash, digest: measurementDigest(measurement, hash) }));
    return { by, pcr, locality, event, bytes: data.byteLength, digests };
  });
  return { steps, banks: banks.map((hash) => pcrsOfSteps(steps, hash)) };
}

/** What the steps give in a bank. RangeError when the bank is no hash of ours; a step without a digest there does nothing. */
export function pcrsOfSteps(steps: readonly PredictedStep[], hash: number): PcrBank {
  const counting = lastLaunch(steps);
  const values = pcrNumbers(ALL_PCRS).map((pcr) => {
    const own = counting
      .filter((step) => step.pcr === pcr)
      .flatMap(({ digests }) => digests.find((one) => one.hash === hash)?.digest ?? []);
    return replay(hash, own, startOfPcr(steps, hash, pcr));
  });
  return { hash, pcrSelect: ALL_PCRS, values };
}

/** A step as the event of a log, to be compared with others; the firmware's without their data, which a prediction does not keep. */
export function predictedEvent({ by, pcr, event, digests }: PredictedStep): LogEvent {
  if (by !== "firmware") return { pcr, type: EventType.SLAUNCH, digests, data: utf8(event) };
  return { pcr, type: measuredEventType(event) ?? EventType.EVENT_TAG, digests, data: new Uint8Array(0) };
}

/** What a log of this boot would tell. */
export function predictedEvents({ steps }: Prediction): readonly LogEvent[] {
  return lastLaunch(steps).map(predictedEvent);
}
