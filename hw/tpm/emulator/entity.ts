import { concat, decode, encode } from "../../../shared/bytes/index.ts";
import type { HashName } from "../../../shared/crypto/index.ts";
import {
  handleType,
  hashNameOf,
  nameOf,
  nameOfHandle,
  nameOfNv,
  TpmaNvBit,
  TpmaObjectBit,
  TpmHt,
  TpmRh,
  TpmsNvPublic,
  TpmtPublic,
  TpmtSensitive,
} from "../../../shared/tpm/index.ts";
import { hierarchyOf, type Machine } from "./machine.ts";
import { type KeyObject, sensitiveOf, type TpmObject } from "./object.ts";
import type { KeyRecord } from "./state.ts";

/** The object behind a transient or persistent handle that `checkPresent` let pass. */
export function objectAt(tpm: Machine, handle: number): TpmObject {
  const record = tpm.nv.persistent.get(handle);
  const object = record === undefined ? tpm.ram.objects.get(handle) : fromRecord(record, handle);
  if (object === undefined) throw new RangeError(`no object at 0x${handle.toString(16)}`);
  return object;
}

/** Decoding a persistent key, and above all restoring its RSA key, is done once. */
const decoded = new WeakMap<KeyRecord, KeyObject>();

function fromRecord(record: KeyRecord, persistentHandle: number): KeyObject {
  const known = decoded.get(record);
  if (known !== undefined) return known;
  const area = decode(TpmtPublic, record.publicArea);
  const key: KeyObject = {
    kind: "key",
    hierarchy: record.hierarchy,
    area,
    sensitive: decode(TpmtSensitive, record.sensitive),
    external: false,
    stClear: false, // such a key is never persistent
    name: nameOf(area),
    qualifiedName: record.qualifiedName,
    persistentHandle,
  };
  decoded.set(record, key);
  return key;
}

export function toRecord(key: KeyObject): KeyRecord {
  return {
    hierarchy: key.hierarchy,
    qualifiedName: key.qualifiedName,
    publicArea: encode(TpmtPublic, key.area),
    sensitive: encode(TpmtSensitive, sensitiveOf(key)),
  };
}

/** An NV index, decoded. */
export interface NvIndex {
  readonly publicArea: TpmsNvPublic;
  readonly auth: Uint8Array;
  readonly data: Uint8Array;
}

/** The index behind a handle that `checkPresent` let pass. */
export function indexAt(tpm: Machine, handle: number): NvIndex {
  const record = tpm.nv.indices.get(handle);
  if (record === undefined) throw new RangeError(`no NV index 0x${handle.toString(16)}`);
  return { publicArea: decode(TpmsNvPublic, record.publicArea), auth: record.auth, data: record.data };
}

/** The Name of what a handle refers to: Part 1, 16. */
export function entityName(tpm: Machine, handle: number): Uint8Array {
  switch (handleType(handle)) {
    case TpmHt.NV_INDEX:
      return nameOfNv(indexAt(tpm, handle).publicArea);
    case TpmHt.TRANSIENT:
    case TpmHt.PERSISTENT: {
      const object = objectAt(tpm, handle);
      return object.kind === "key" ? object.name : new Uint8Array(0);
    }
    default:
      return nameOfHandle(handle);
  }
}

/** The hierarchy that an entity belongs to: what has none of its own is the owner's. */
export function entityHierarchy(tpm: Machine, handle: number): number {
  switch (handleType(handle)) {
    case TpmHt.NV_INDEX: {
      const { attributes } = indexAt(tpm, handle).publicArea;
      return (attributes & TpmaNvBit.PLATFORMCREATE) === 0 ? TpmRh.OWNER : TpmRh.PLATFORM;
    }
    case TpmHt.TRANSIENT:
    case TpmHt.PERSISTENT: {
      const object = objectAt(tpm, handle);
      return object.kind === "key" ? object.hierarchy : TpmRh.NULL;
    }
    default:
      return hierarchyOf(tpm, handle) === undefined ? TpmRh.OWNER : handle;
  }
}

/** The authValue, trailing zeros removed: Part 1, 19.6.4.3. */
export function authValue(tpm: Machine, handle: number): Uint8Array {
  return withoutTrailingZeros(rawAuthValue(tpm, handle));
}

function rawAuthValue(tpm: Machine, handle: number): Uint8Array {
  switch (handleType(handle)) {
    case TpmHt.NV_INDEX:
      return indexAt(tpm, handle).auth;
    case TpmHt.TRANSIENT:
    case TpmHt.PERSISTENT: {
      const object = objectAt(tpm, handle);
      return object.kind === "key" ? (object.sensitive?.authValue ?? new Uint8Array(0)) : object.auth;
    }
    default:
      if (handle === TpmRh.LOCKOUT) return tpm.nv.lockoutAuth;
      return hierarchyOf(tpm, handle)?.auth ?? new Uint8Array(0); // a PCR has an empty one
  }
}

export interface AuthPolicy {
  readonly hash: HashName;
  readonly digest: Uint8Array;
}

/** The authPolicy, perhaps empty; undefined where there can be none. Hierarchies, lockout and PCRs have none in this TPM. */
export function authPolicy(tpm: Machine, handle: number): AuthPolicy | undefined {
  const type = handleType(handle);
  if (type === TpmHt.NV_INDEX) {
    const { nameAlg, authPolicy: policy } = indexAt(tpm, handle).publicArea;
    return policyOf(nameAlg, policy);
  }
  if (type !== TpmHt.TRANSIENT && type !== TpmHt.PERSISTENT) return undefined;
  const object = objectAt(tpm, handle);
  return object.kind === "key" ? policyOf(object.area.nameAlg, object.area.authPolicy) : undefined;
}

function policyOf(nameAlg: number, digest: Uint8Array): AuthPolicy | undefined {
  const hash = hashNameOf(nameAlg);
  return hash === undefined ? undefined : { hash, digest };
}

/** Whether a wrong authValue counts against dictionary attacks: Part 1, 19.8.1. */
export function isDaProtected(tpm: Machine, handle: number): boolean {
  switch (handleType(handle)) {
    case TpmHt.NV_INDEX:
      return (indexAt(tpm, handle).publicArea.attributes & TpmaNvBit.NO_DA) === 0;
    case TpmHt.TRANSIENT:
    case TpmHt.PERSISTENT: {
      const object = objectAt(tpm, handle);
      return object.kind === "key" && (object.area.objectAttributes & TpmaObjectBit.NO_DA) === 0;
    }
    default:
      return handle === TpmRh.LOCKOUT;
  }
}

/** What a bound session remembers: Name and authValue (Part 1, 19.6.10). */
export function boundEntity(tpm: Machine, handle: number): Uint8Array {
  return concat(entityName(tpm, handle), authValue(tpm, handle));
}

export function withoutTrailingZeros(value: Uint8Array): Uint8Array {
  let size = value.byteLength;
  while (size > 0 && value[size - 1] === 0) size--;
  return value.subarray(0, size);
}
