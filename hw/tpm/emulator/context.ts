import {
  type Codec,
  CodecError,
  constantTimeEqual,
  decode,
  encode,
  fixed,
  flags,
  type Infer,
  list,
  oneOf,
  rest,
  sized,
  struct,
  tagged,
  u8,
  u16be,
  u32be,
  u64be,
} from "../../../shared/bytes/index.ts";
import { aesCfbDecrypt, aesCfbEncrypt, hmac, kdfa } from "../../../shared/crypto/index.ts";
import { Tpm2bDigest, TpmRc, type TpmsContext, TpmtSymDef } from "../../../shared/tpm/index.ts";
import { hierarchyOf, type Machine } from "./machine.ts";
import { parameter, refuse } from "./refusal.ts";

/** Saved contexts: Part 1, 30. What is in a blob is the TPM's own business; only its protection is the standard's. */

/** savedHandle of an object, of a sequence, and of an object that TPM2_Startup(CLEAR) ends: Part 2, 14.5. */
export const SavedHandle = { OBJECT: 0x8000_0000, SEQUENCE: 0x8000_0001, ST_CLEAR: 0x8000_0002 } as const;

const INTEGRITY_BYTES = 64;
const SEQUENCE_BYTES = 8;
const KEY_BYTES = 16;
const NONE = new Uint8Array(0);
const blob = sized(u16be, 2048);
const short = sized(u8, 255);
const maybe = <T>(codec: Codec<T>) => list(u8, codec, 1);

/** What an object is beside its areas. Earlier versions have EXTERNAL alone. */
export const ObjectMark = { EXTERNAL: 1, ST_CLEAR: 2 } as const;

/** What a context holds. */
export const ContextContent = tagged("context", "kind", u8, {
  0: {
    hierarchy: u32be,
    qualifiedName: short,
    publicArea: blob,
    sensitive: maybe(blob),
    marks: flags(u8, ObjectMark.EXTERNAL | ObjectMark.ST_CLEAR),
  },
  1: {},
  2: {
    handle: u32be,
    type: oneOf(u8, [0, 1, 2]),
    hashAlg: u16be,
    sessionKey: short,
    symmetric: TpmtSymDef,
    boundEntity: maybe(short),
    daBound: oneOf(u8, [0, 1, 2]),
    nonceTpm: short,
    auditDigest: maybe(short),
    startTime: u64be,
    powerCycle: u64be,
    policy: struct("policy", {
      digest: short,
      cpHash: short,
      timeout: maybe(u64be),
      commandCode: maybe(u32be),
      pcrCounter: maybe(u32be),
      authValue: oneOf(u8, [0, 1, 2]),
    }),
  },
});
export type ContextContent = Infer<typeof ContextContent>;

const Blob = struct("context blob", { integrity: Tpm2bDigest, encrypted: rest });
/** The sequence is inside as well: a blob that decrypts to another one would mean that the TPM is broken. */
const Encrypted = struct("context data", { sequence: u64be, content: ContextContent });

type Labels = Omit<TpmsContext, "contextBlob">;

/** TPMS_CONTEXT over `content`. */
export function sealContext(tpm: Machine, labels: Labels, content: ContextContent): TpmsContext {
  const { key, iv } = protection(tpm, labels);
  const encrypted = aesCfbEncrypt(key, iv, encode(Encrypted, { sequence: labels.sequence, content }));
  return { ...labels, contextBlob: encode(Blob, { integrity: integrity(tpm, labels, encrypted), encrypted }) };
}

/** Refuses, as the first parameter, what this TPM did not save since its last TPM Reset. */
export function openContext(tpm: Machine, context: TpmsContext): ContextContent {
  const { integrity: stated, encrypted } = readBlob(context.contextBlob);
  if (stated.byteLength !== INTEGRITY_BYTES || encrypted.byteLength < SEQUENCE_BYTES) refuse(TpmRc.SIZE, parameter(1));
  if (!constantTimeEqual(stated, integrity(tpm, context, encrypted))) refuse(TpmRc.INTEGRITY, parameter(1));
  const { key, iv } = protection(tpm, context);
  return decode(Encrypted, aesCfbDecrypt(key, iv, encrypted)).content;
}

/** Without a number, as libtpms has it. */
function readBlob(bytes: Uint8Array): Infer<typeof Blob> {
  try {
    return decode(Blob, bytes);
  } catch (error) {
    if (error instanceof CodecError) refuse(/is not within/.test(error.problem) ? TpmRc.SIZE : TpmRc.INSUFFICIENT);
    throw error;
  }
}

function proofOf(tpm: Machine, hierarchy: number): Uint8Array {
  return hierarchyOf(tpm, hierarchy)?.proof ?? NONE;
}

/** Key and IV of the encryption: KDFa over the proof, Part 1, 30.3.1. */
function protection(tpm: Machine, { sequence, savedHandle, hierarchy }: Labels) {
  const made = kdfa(
    "sha512",
    proofOf(tpm, hierarchy),
    "CONTEXT",
    encode(u64be, sequence),
    encode(u32be, savedHandle),
    2 * KEY_BYTES * 8,
  );
  return { key: made.subarray(0, KEY_BYTES), iv: made.subarray(KEY_BYTES) };
}

/** nullProof is in it, which each TPM Reset changes; clearCount where TPM Restart ends the object too: Part 1, 30.3.1. */
function integrity(tpm: Machine, { sequence, savedHandle, hierarchy }: Labels, encrypted: Uint8Array): Uint8Array {
  const { nullHierarchy, clearCount } = tpm.ram;
  return hmac(
    "sha512",
    proofOf(tpm, hierarchy),
    encode(fixed(nullHierarchy.proof.byteLength), nullHierarchy.proof),
    savedHandle === SavedHandle.ST_CLEAR ? encode(u32be, clearCount) : NONE,
    encode(u64be, sequence),
    encode(u32be, savedHandle),
    encrypted,
  );
}
