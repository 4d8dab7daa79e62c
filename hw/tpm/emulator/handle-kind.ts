import { handleType, TpmHt, TpmRc, TpmRh } from "../../../shared/tpm/index.ts";
import type { Machine } from "./machine.ts";
import { isTransientHandle } from "./object.ts";
import { PCR_COUNT } from "./pcr.ts";
import { handle as blameHandle, refuse } from "./refusal.ts";
import { ACTIVE_SESSIONS } from "./session-table.ts";

/** Which handles a command takes in one place: the TPMI_DH_* and TPMI_RH_* types of Part 2, chapter 9. */
export type HandleKind =
  | "pcr"
  | "pcr+"
  | "object"
  | "object+"
  | "hierarchy"
  | "provision"
  | "nvAuth"
  | "nvIndex"
  | "entity"
  | "entity+"
  | "parent"
  | "clear"
  | "lockout"
  | "hierarchyAuth"
  | "policySession"
  | "context";

const isPcr = (handle: number) => handle < PCR_COUNT;
const isObject = (handle: number) => isTransientHandle(handle) || handleType(handle) === TpmHt.PERSISTENT;
const isNvIndex = (handle: number) => handleType(handle) === TpmHt.NV_INDEX;
const isNull = (handle: number) => handle === TpmRh.NULL;
const isProvision = (handle: number) => handle === TpmRh.OWNER || handle === TpmRh.PLATFORM;
const isSession = (handle: number) =>
  (handleType(handle) === TpmHt.HMAC_SESSION || handleType(handle) === TpmHt.POLICY_SESSION) &&
  (handle & 0xff_ffff) < ACTIVE_SESSIONS;
const isHierarchy = (handle: number) => isProvision(handle) || handle === TpmRh.ENDORSEMENT || isNull(handle);
const isEntity = (handle: number) =>
  isProvision(handle) ||
  handle === TpmRh.ENDORSEMENT ||
  handle === TpmRh.LOCKOUT ||
  isPcr(handle) ||
  isObject(handle) ||
  isNvIndex(handle);

const ACCEPTS: Readonly<Record<HandleKind, (handle: number) => boolean>> = {
  pcr: isPcr,
  "pcr+": (handle) => isPcr(handle) || isNull(handle),
  object: isObject,
  "object+": (handle) => isObject(handle) || isNull(handle),
  hierarchy: isHierarchy,
  provision: isProvision,
  parent: (handle) => isObject(handle) || isHierarchy(handle),
  clear: (handle) => handle === TpmRh.LOCKOUT || handle === TpmRh.PLATFORM,
  lockout: (handle) => handle === TpmRh.LOCKOUT,
  hierarchyAuth: (handle) => isProvision(handle) || handle === TpmRh.ENDORSEMENT || handle === TpmRh.LOCKOUT,
  nvAuth: (handle) => isProvision(handle) || isNvIndex(handle),
  nvIndex: isNvIndex,
  entity: isEntity,
  "entity+": (handle) => isEntity(handle) || isNull(handle),
  context: (handle) => isTransientHandle(handle) || isSession(handle),
  policySession: (handle) => handleType(handle) === TpmHt.POLICY_SESSION && (handle & 0xff_ffff) < ACTIVE_SESSIONS,
};

/** Refuses a handle that cannot stand there at all: TPM_RC_VALUE. `n` counts from 1. */
export function checkKind(kind: HandleKind, handle: number, n: number): void {
  if (!ACCEPTS[kind](handle)) refuse(TpmRc.VALUE, blameHandle(n));
}

/** Refuses a handle that leads nowhere now: Part 3, 5.4. A persistent object takes a slot for this command. `n` counts from 1. */
export function checkPresent(tpm: Machine, handle: number, n: number): void {
  switch (handleType(handle)) {
    case TpmHt.NV_INDEX:
      if (!tpm.nv.indices.has(handle)) refuse(TpmRc.HANDLE, blameHandle(n));
      break;
    case TpmHt.PERSISTENT:
      if (!tpm.ram.objects.borrow()) refuse(TpmRc.OBJECT_MEMORY);
      if (!tpm.nv.persistent.has(handle)) refuse(TpmRc.HANDLE, blameHandle(n));
      break;
    case TpmHt.TRANSIENT:
      if (tpm.ram.objects.get(handle) === undefined) refuse(TpmRc.REFERENCE_H0 + n - 1);
      break;
    case TpmHt.HMAC_SESSION:
    case TpmHt.POLICY_SESSION:
      checkSession(tpm, handle, n);
      break;
    default:
      break; // PCRs and the permanent handles that a command takes are always there
  }
}

function checkSession(tpm: Machine, handle: number, n: number): void {
  const session = tpm.ram.sessions.get(handle);
  if (session === undefined) refuse(TpmRc.REFERENCE_H0 + n - 1);
  if (session.handle !== handle) refuse(TpmRc.HANDLE, blameHandle(n));
}
