import { CodecError, constantTimeEqual } from "../../shared/bytes/index.ts";
import { decodeCbor } from "../../shared/cbor/index.ts";
import type { LogSummary } from "../../shared/event-log/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import {
  decodeLogMessage,
  decodeRim,
  Limit,
  Metadata,
  type PolicyBank,
  type SignedLog,
  type SignedObject,
  signedBytes,
  verifySignature,
} from "../../shared/protocol/index.ts";
import { type Credential, makeCredential, type TpmtPublic } from "../../shared/tpm/index.ts";
import type { Aik } from "./aik.ts";
import { packLog } from "./log-record.ts";
import { covers, readRim, showsDynamicLaunch } from "./policy.ts";
import type { Profile } from "./profile.ts";
import { accept, type EnrolmentRefusal, type LogRefusal, type Outcome, refuse } from "./reasons.ts";
import { replayTo } from "./replay.ts";

/** A credential that only the TPM with this EK and this AIK can open, and what is inside. */
export interface Activation {
  readonly secret: Uint8Array;
  readonly credential: Credential;
}

/** Credential protection: TPM 2.0 Part 1, 24. */
export function startActivation(ek: TpmtPublic, aik: Aik, random: Random): Outcome<Activation, EnrolmentRefusal> {
  const secret = random.bytes(Limit.SECRET_BYTES);
  const credential = makeCredential(ek, aik.name, secret, random);
  return credential === undefined ? refuse("ek-unsupported") : accept({ secret, credential });
}

/** The body is what counts: the reference attester answers 2.01 with an empty one when its TPM refused. */
export function finishActivation({ secret }: Activation, answer: Uint8Array): Outcome<undefined, EnrolmentRefusal> {
  return constantTimeEqual(secret, answer) ? accept(undefined) : refuse("credential-not-activated");
}

/** Checks the signature, then the content; the value is the metadata's bytes as received. In API v0 there is no nonce here. */
export function checkMetadata(
  object: SignedObject,
  aik: Aik,
  nonce?: Uint8Array,
): Outcome<Uint8Array, EnrolmentRefusal> {
  if (!verifySignature(aik.key, signedBytes(object.data, nonce), object.signature)) return refuse("metadata-signature");
  if (object.data.byteLength > Limit.METADATA_BYTES)
    return refuse("metadata-malformed", `over ${Limit.METADATA_BYTES} bytes`);
  try {
    decodeCbor(Metadata, object.data, "metadata");
    return accept(object.data);
  } catch (error) {
    if (error instanceof CodecError) return refuse("metadata-malformed", error.message);
    throw error;
  }
}

/** Checks the signature, then the content, then whether it can ever match the policy; the value is the RIM's bytes as received. */
export function checkReferenceValues(
  object: SignedObject,
  aik: Aik,
  policy: readonly PolicyBank[],
  profile: Profile,
  nonce?: Uint8Array,
): Outcome<Uint8Array, EnrolmentRefusal> {
  if (!verifySignature(aik.key, signedBytes(object.data, nonce), object.signature)) return refuse("rim-signature");
  const banks = readRim(object.data);
  if (banks instanceof CodecError) return refuse("rim-malformed", banks.message);
  if (profile.rimCoversPolicy && !covers(banks, policy)) return refuse("rim-incomplete");
  if (profile.demandsDynamicLaunch && !showsDynamicLaunch(banks, policy)) return refuse("no-dynamic-launch");
  return accept(object.data);
}

/** An enrolment may do without a log: one that is refused stops nothing. The log is packed as it will be kept. */
export function checkLog(
  { data, signature }: SignedLog,
  { aik, rim, nonce }: { readonly aik: Aik; readonly rim: Uint8Array; readonly nonce: Uint8Array },
  policy: readonly PolicyBank[],
): Outcome<Uint8Array, LogRefusal> {
  if (!verifySignature(aik.key, signedBytes(data, nonce), signature)) return refuse("log-signature");
  const log = readLog(data);
  if (log instanceof CodecError) return refuse("log-malformed", log.message);
  const replay = replayTo(decodeRim(rim), log, policy);
  if (replay === undefined) return refuse("log-mismatch");
  const packed = packLog(replay.log);
  return packed === undefined ? refuse("log-too-long", `${replay.log.events.length} events`) : accept(packed);
}

function readLog(data: Uint8Array): LogSummary | CodecError {
  try {
    return decodeLogMessage(data);
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}
