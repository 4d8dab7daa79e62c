import type { HashName } from "../../../../shared/crypto/index.ts";
import {
  hashNameOf,
  TpmAlg,
  TpmaObjectBit,
  type TpmlPcrSelection,
  TpmRc,
  TpmRh,
} from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { schemeHashOf } from "../keyed-hash.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import type { KeyObject } from "../object.ts";
import { isStorage } from "../public-area.ts";
import { handle as blameHandle, parameter, refuse } from "../refusal.ts";

/** Checks that several commands share. `n` counts parameters or handles from 1. */

/** TPMI_ALG_HASH. */
export function checkHash(alg: number, n: number): HashName {
  return hashNameOf(alg) ?? refuse(TpmRc.HASH, parameter(n));
}

/** TPMI_RH_HIERARCHY+ among the parameters. */
export function checkHierarchy(tpm: Machine, hierarchy: number, n: number): void {
  if (hierarchyOf(tpm, hierarchy) === undefined) refuse(TpmRc.VALUE, parameter(n));
}

/** TPMI_ALG_HASH of every bank in a selection: an unknown one is TPM_RC_HASH, one without PCRs here selects nothing. */
export function checkSelection(selection: TpmlPcrSelection, n: number): void {
  for (const { hash } of selection) checkHash(hash, n);
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
  if ((key.area.objectAttributes & TpmaObjectBit.SIGN) === 0) refuse(TpmRc.KEY, blameHandle(1));
  const own = schemeHashOf(key.area);
  const asked = hashNameOf(hashAlg);
  if (own !== undefined && asked !== undefined && own !== asked) refuse(TpmRc.VALUE, parameter(2));
  return { key, alg: own ?? asked ?? refuse(TpmRc.VALUE, parameter(2)) };
}

/** A free object slot. */
export function checkRoom(tpm: Machine): void {
  if (tpm.ram.objects.free < 1) refuse(TpmRc.OBJECT_MEMORY);
}

/** The storage key behind the first handle. */
export function parentAt(tpm: Machine, handle: number): KeyObject {
  const parent = keyAt(tpm, handle, 1);
  return isStorage(parent.area) ? parent : refuse(TpmRc.TYPE, blameHandle(1));
}
