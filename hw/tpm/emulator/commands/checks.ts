import type { HashName } from "../../../../shared/crypto/index.ts";
import {
  hashNameOf,
  TpmAlg,
  TpmaObjectBit,
  type TpmlPcrSelection,
  TpmRc,
  TpmRh,
  type TpmtSigScheme,
} from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { schemeHashOf } from "../keyed-hash.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import type { KeyObject } from "../object.ts";
import { isStorage } from "../public-area.ts";
import { handle as blameHandle, parameter, refuse } from "../refusal.ts";

/** Checks that several commands share. Those of values refuse without a number; `n` counts handles from 1. */

/** TPMI_ALG_HASH. */
export function isHash(alg: number): void {
  hashOf(alg);
}

/** TPMI_ALG_MAC_SCHEME+, of which HMAC's hashes are here: what is none could be a cipher's. */
export function isMacScheme(alg: number): void {
  if (alg !== TpmAlg.NULL && hashNameOf(alg) === undefined) refuse(TpmRc.SYMMETRIC);
}

/** TPMI_ALG_HASH+. */
export function isHashOrNull(alg: number): void {
  if (alg !== TpmAlg.NULL) hashOf(alg);
}

/** The hash of a TPMI_ALG_HASH. */
export function hashOf(alg: number): HashName {
  return hashNameOf(alg) ?? refuse(TpmRc.HASH);
}

/** TPMI_RH_HIERARCHY+ among the parameters. */
export function isHierarchy(hierarchy: number, tpm: Machine): void {
  if (hierarchyOf(tpm, hierarchy) === undefined) refuse(TpmRc.VALUE);
}

/** TPMI_ALG_HASH of every bank in a selection: an unknown one is TPM_RC_HASH, one without PCRs here selects nothing. */
export function isSelection(selection: TpmlPcrSelection): void {
  for (const { hash } of selection) hashOf(hash);
}

/** TPMT_SIG_SCHEME+: its hash. */
export function isSigScheme(scheme: TpmtSigScheme): void {
  if ("hashAlg" in scheme) hashOf(scheme.hashAlg);
}

/** The key behind the n-th handle; a sequence object there is TPM_RC_KEY. */
export function keyAt(tpm: Machine, handle: number, n: number): KeyObject {
  const object = objectAt(tpm, handle);
  return object.kind === "key" ? object : refuse(TpmRc.KEY, blameHandle(n));
}

/** The signing key behind the n-th handle; undefined for TPM_RH_NULL. */
export function signingKeyAt(tpm: Machine, handle: number, n: number): KeyObject | undefined {
  if (handle === TpmRh.NULL) return undefined;
  const key = keyAt(tpm, handle, n);
  if ((key.area.objectAttributes & TpmaObjectBit.SIGN) === 0) refuse(TpmRc.KEY, blameHandle(n));
  return key;
}

/** The unrestricted HMAC key behind the first handle, with the hash that it and the second parameter agree on: Part 3, 15.4 and 17.2. */
export function hmacKeyAt(tpm: Machine, handle: number, hashAlg: number): { key: KeyObject; alg: HashName } {
  const key = objectAt(tpm, handle);
  if (key.kind !== "key" || key.area.type !== TpmAlg.KEYEDHASH) refuse(TpmRc.TYPE, blameHandle(1));
  if ((key.area.objectAttributes & TpmaObjectBit.RESTRICTED) !== 0) refuse(TpmRc.ATTRIBUTES, blameHandle(1));
  const own = schemeHashOf(key.area);
  const asked = hashNameOf(hashAlg);
  if (own !== undefined && asked !== undefined && own !== asked) refuse(TpmRc.VALUE, parameter(2));
  const alg = own ?? asked ?? refuse(TpmRc.VALUE, parameter(2));
  if ((key.area.objectAttributes & TpmaObjectBit.SIGN) === 0) refuse(TpmRc.KEY, blameHandle(1));
  return { key, alg };
}

/** A free object slot. */
export function checkRoom(tpm: Machine): void {
  if (tpm.ram.objects.free < 1) refuse(TpmRc.OBJECT_MEMORY);
}

/** The storage key behind the first handle. */
export function parentAt(tpm: Machine, handle: number): KeyObject {
  const parent = objectAt(tpm, handle);
  return parent.kind === "key" && isStorage(parent.area) ? parent : refuse(TpmRc.TYPE, blameHandle(1));
}
