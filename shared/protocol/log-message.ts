import { CodecError } from "../bytes/index.ts";
import { cbor, decodeCbor, encodeCbor, type InferCbor } from "../cbor/index.ts";
import { digestSize } from "../crypto/index.ts";
import { LAUNCH_STEPS } from "../event-log/launch-steps.ts";
import type { LogSummary } from "../event-log/summary.ts";
import { hashNameOf } from "../tpm/index.ts";
import { Limit } from "./limits.ts";

/** Extension 4 of API v1: an event log as it travels, one bank, without the events' data. docs/api.md. */

const UINT16_MAX = 0xffff;
const MAX_LOCALITY = 4;

export const LogMessage = cbor.map({
  version: cbor.uint(1, 1),
  /** TPM_ALG_ID of the bank. */
  algo_id: cbor.uint(UINT16_MAX),
  /** The locality of TPM2_Startup, which is the last byte of PCR 0 at the start. */
  startup_locality: cbor.uint(MAX_LOCALITY),
  /** In the order in which they were measured. */
  events: cbor.array(
    cbor.map({
      pcr: cbor.uint(Limit.PCRS - 1),
      digest: cbor.bytes({ min: 1, max: Limit.PCR_BYTES }),
      step: cbor.word(LAUNCH_STEPS),
      text: cbor.text({ max: Limit.LOG_TEXT_BYTES }),
    }),
    Limit.LOG_EVENTS,
  ),
});

/** A log at enrolment: as SignedObject, with a longer `data`. */
export const SignedLog = cbor.map({
  data: cbor.bytes({ min: 1, max: Limit.LOG_BYTES }),
  signature: cbor.bytes({ min: 1, max: Limit.SIGNATURE_BYTES }),
});
export type SignedLog = InferCbor<typeof SignedLog>;

/** CodecError also for a bank whose hash is not one of ours, and for digests of another size than it has. */
export function decodeLogMessage(bytes: Uint8Array): LogSummary {
  const { algo_id, startup_locality, events } = decodeCbor(LogMessage, bytes, "log");
  const name = hashNameOf(algo_id);
  if (name === undefined) throw new CodecError("no hash known here", "log.algo_id", 0);
  const size = digestSize(name);
  const wrong = events.findIndex(({ digest }) => digest.byteLength !== size);
  if (wrong >= 0) throw new CodecError("a digest of the wrong size", `log.events[${wrong}].digest`, 0);
  return {
    hash: algo_id,
    startupLocality: startup_locality,
    events: events.map(({ text, ...event }) => ({ ...event, description: text })),
  };
}

/** RangeError for a log that is beyond the limits of the message. */
export function encodeLogMessage({ hash, startupLocality, events }: LogSummary): Uint8Array {
  return encodeCbor(LogMessage, {
    version: 1,
    algo_id: hash,
    startup_locality: startupLocality,
    events: events.map(({ description, ...event }) => ({ ...event, text: description })),
  });
}
