import { concat } from "../../../shared/bytes/index.ts";
import { createDigest, digest, digestSize, type HashName, type RunningDigest } from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import {
  hashNameOf,
  TpmAlg,
  TpmaObjectBit,
  TpmRc,
  type TpmtPublicKeyedHash,
  type TpmtSensitive,
} from "../../../shared/tpm/index.ts";
import type { NewKey, SensitiveParts } from "./key-material.ts";
import { refuse } from "./refusal.ts";

/** Keyed hash objects: HMAC keys and sealed data. Part 1, 25.2.3 and 27.7. */

/** Bytes that a hash takes at once: FIPS 180-4. A longer HMAC key would be hashed first. */
export function blockSize(hash: HashName): number {
  return hash === "sha384" || hash === "sha512" ? 128 : 64;
}

/** The hash of the object's scheme; undefined when it leaves it open. */
export function schemeHashOf({ parameters }: TpmtPublicKeyedHash): HashName | undefined {
  return "hashAlg" in parameters.scheme ? hashNameOf(parameters.scheme.hashAlg) : undefined;
}

/** Data of the caller, or a key of the digest's size where there is none. Refuses, without a number, a key longer than a block. */
export function generateKeyedHash(
  template: TpmtPublicKeyedHash,
  parts: SensitiveParts,
  data: Uint8Array,
  random: Random,
): NewKey {
  const name = hashNameOf(template.nameAlg);
  if (name === undefined) throw new RangeError("a template with an unknown name algorithm passed");
  const hash = schemeHashOf(template) ?? name;
  const isKey = (template.objectAttributes & (TpmaObjectBit.SIGN | TpmaObjectBit.DECRYPT)) !== 0;
  const origin = (template.objectAttributes & TpmaObjectBit.SENSITIVE_DATA_ORIGIN) !== 0;
  if (isKey && !origin && data.byteLength > blockSize(hash)) refuse(TpmRc.SIZE);
  const bits = origin ? random.bytes(digestSize(hash)) : data;
  const sensitive: TpmtSensitive = { sensitiveType: TpmAlg.KEYEDHASH, ...parts, sensitive: bits };
  return { area: { ...template, unique: uniqueOf(name, sensitive) }, sensitive };
}

/** What ties public and sensitive area: Part 1, 27.5.3.3. */
export function uniqueOf(nameHash: HashName, { seedValue, sensitive }: TpmtSensitive): Uint8Array {
  return digest(nameHash, seedValue, sensitive);
}

/** RFC 2104, piece by piece, in a form that can be copied on the way. */
export function createHmac(alg: HashName, key: Uint8Array): RunningDigest {
  const block = new Uint8Array(blockSize(alg));
  block.set(key.byteLength > block.byteLength ? digest(alg, key) : key);
  const inner = createDigest(alg);
  inner.update(block.map((byte) => byte ^ 0x36));
  const outer = block.map((byte) => byte ^ 0x5c);
  return running(inner);

  function running(hash: RunningDigest): RunningDigest {
    return {
      update: (data) => hash.update(data),
      finish: () => digest(alg, concat(outer, hash.finish())),
      copy: () => running(hash.copy()),
    };
  }
}
