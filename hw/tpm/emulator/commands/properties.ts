import { decode } from "../../../../shared/bytes/index.ts";
import { TpmAlg, TpmPt, TpmsNvPublic } from "../../../../shared/tpm/index.ts";
import type { Machine } from "../machine.ts";
import { NvType, nvTypeOf } from "../nv-index.ts";
import { TRANSIENT_SLOTS } from "../object.ts";
import { PCR_COUNT } from "../pcr.ts";
import { ACTIVE_SESSIONS, SESSION_SLOTS } from "../session-table.ts";
import { NvLimit, Orderly } from "../state.ts";
import { CLOCK_UPDATE_MS } from "../time.ts";
import { FIRMWARE_VERSION, MANUFACTURER, SPEC, VENDOR_STRING } from "../version.ts";

/** TPM_CAP_TPM_PROPERTIES: Part 2, 6.13. */

/** TPM_ECC_CURVEs that are implemented. */
const CURVE_COUNT = 2;

/** TPM_PT_PERMANENT and TPM_PT_STARTUP_CLEAR, Part 2, 8.6 and 8.7. */
const Attribute = {
  LOCKOUT_AUTH_SET: 1 << 2,
  OWNER_AUTH_SET: 1 << 0,
  ENDORSEMENT_AUTH_SET: 1 << 1,
  DISABLE_CLEAR: 1 << 8,
  IN_LOCKOUT: 1 << 9,
  TPM_GENERATED_EPS: 1 << 10,
} as const;
const HIERARCHIES_ENABLED = 0b1111;
const ORDERLY = 2 ** 31;

/** The properties of the group that `property` is in: FIXED from 0x100, VAR from 0x200. */
export function properties(tpm: Machine, property: number, commandCount: number) {
  const group = property < firstVariable ? fixed(commandCount) : variable(tpm);
  return Object.entries(group).map(([name, value]) => ({ property: TpmPt[name as keyof typeof TpmPt], value }));
}

const firstVariable = TpmPt.PERMANENT;
type Group = Partial<Record<keyof typeof TpmPt, number>>;

function fourCharacters(text: string, at = 0): number {
  return [0, 1, 2, 3].reduce((word, i) => word * 256 + (text.charCodeAt(at + i) || 0), 0);
}

function fixed(commandCount: number): Group {
  return {
    FAMILY_INDICATOR: fourCharacters(SPEC.family),
    LEVEL: SPEC.level,
    REVISION: SPEC.revision,
    DAY_OF_YEAR: SPEC.dayOfYear,
    YEAR: SPEC.year,
    MANUFACTURER: fourCharacters(MANUFACTURER),
    VENDOR_STRING_1: fourCharacters(VENDOR_STRING, 0),
    VENDOR_STRING_2: fourCharacters(VENDOR_STRING, 4),
    VENDOR_STRING_3: fourCharacters(VENDOR_STRING, 8),
    VENDOR_STRING_4: fourCharacters(VENDOR_STRING, 12),
    VENDOR_TPM_TYPE: 1,
    FIRMWARE_VERSION_1: Number(FIRMWARE_VERSION >> 32n),
    FIRMWARE_VERSION_2: Number(FIRMWARE_VERSION & 0xffff_ffffn),
    INPUT_BUFFER: 1024,
    HR_TRANSIENT_MIN: TRANSIENT_SLOTS,
    HR_PERSISTENT_MIN: NvLimit.PERSISTENT,
    HR_LOADED_MIN: SESSION_SLOTS,
    ACTIVE_SESSIONS_MAX: ACTIVE_SESSIONS,
    PCR_COUNT,
    PCR_SELECT_MIN: PCR_COUNT / 8,
    CONTEXT_GAP_MAX: 0xffff,
    NV_COUNTERS_MAX: 0,
    NV_INDEX_MAX: NvLimit.INDEX_BYTES,
    MEMORY: 6,
    CLOCK_UPDATE: Number(CLOCK_UPDATE_MS),
    CONTEXT_HASH: TpmAlg.SHA512,
    CONTEXT_SYM: TpmAlg.AES,
    CONTEXT_SYM_SIZE: 128,
    ORDERLY_COUNT: 255,
    MAX_COMMAND_SIZE: 4096,
    MAX_RESPONSE_SIZE: 4096,
    MAX_DIGEST: 64,
    MAX_OBJECT_CONTEXT: 4096,
    MAX_SESSION_CONTEXT: 1024,
    PS_FAMILY_INDICATOR: fourCharacters(SPEC.family),
    PS_LEVEL: SPEC.level,
    PS_REVISION: SPEC.revision,
    PS_DAY_OF_YEAR: SPEC.dayOfYear,
    PS_YEAR: SPEC.year,
    SPLIT_MAX: 0,
    TOTAL_COMMANDS: commandCount,
    LIBRARY_COMMANDS: commandCount,
    VENDOR_COMMANDS: 0,
    NV_BUFFER_MAX: 1024,
    MODES: 0,
    MAX_CAP_BUFFER: 1024,
  };
}

function counterCount({ indices }: Machine["nv"]): number {
  return [...indices.values()].filter(
    ({ publicArea }) => nvTypeOf(decode(TpmsNvPublic, publicArea).attributes) === NvType.COUNTER,
  ).length;
}

function variable({ nv, ram }: Machine): Group {
  const { lockout } = nv;
  const flag = (on: boolean, bit: number) => (on ? bit : 0);
  const active = ACTIVE_SESSIONS - ram.sessions.available;
  return {
    PERMANENT:
      Attribute.TPM_GENERATED_EPS |
      flag(nv.owner.auth.byteLength > 0, Attribute.OWNER_AUTH_SET) |
      flag(nv.endorsement.auth.byteLength > 0, Attribute.ENDORSEMENT_AUTH_SET) |
      flag(nv.lockoutAuth.byteLength > 0, Attribute.LOCKOUT_AUTH_SET) |
      flag(nv.disableClear === 1, Attribute.DISABLE_CLEAR) |
      flag(lockout.failedTries >= lockout.maxTries, Attribute.IN_LOCKOUT),
    STARTUP_CLEAR:
      HIERARCHIES_ENABLED + flag(ram.previous === Orderly.CLEAR || ram.previous === Orderly.STATE, ORDERLY),
    HR_NV_INDEX: nv.indices.size,
    HR_LOADED: SESSION_SLOTS - ram.sessions.free,
    HR_LOADED_AVAIL: ram.sessions.free,
    HR_ACTIVE: active,
    HR_ACTIVE_AVAIL: ram.sessions.available,
    HR_TRANSIENT_AVAIL: ram.objects.free,
    HR_PERSISTENT: nv.persistent.size,
    HR_PERSISTENT_AVAIL: NvLimit.PERSISTENT - nv.persistent.size,
    NV_COUNTERS: counterCount(nv),
    NV_COUNTERS_AVAIL: 0,
    ALGORITHM_SET: 0,
    LOADED_CURVES: CURVE_COUNT,
    LOCKOUT_COUNTER: lockout.failedTries,
    MAX_AUTH_FAIL: lockout.maxTries,
    LOCKOUT_INTERVAL: lockout.recoveryTime,
    LOCKOUT_RECOVERY: lockout.lockoutRecovery,
    NV_WRITE_RECOVERY: 0,
    AUDIT_COUNTER_0: 0,
    AUDIT_COUNTER_1: 0,
  };
}
