import {
  commands,
  handleType,
  hashAlgOf,
  TpmAlg,
  TpmCap,
  TpmEccCurve,
  TpmHt,
  TpmPt,
  TpmRc,
  TpmRh,
  type TpmsCapabilityData,
} from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { TRANSIENT_SLOTS } from "../object.ts";
import { PCR_BANKS, PCR_COUNT, pcrProperty } from "../pcr.ts";
import { parameter, refuse } from "../refusal.ts";
import { SESSION_SLOTS } from "../session.ts";
import { NvLimit, Orderly } from "../state.ts";
import { CLOCK_UPDATE_MS } from "../time.ts";
import { FIRMWARE_VERSION, MANUFACTURER, SPEC, VENDOR_STRING } from "../version.ts";

/** Part 3, 30: capabilities. */

/** TPMA_ALGORITHM, Part 2, 8.2. */
const A = {
  asymmetric: 0x001,
  symmetric: 0x002,
  hash: 0x004,
  object: 0x008,
  signing: 0x100,
  encrypting: 0x200,
  method: 0x400,
} as const;

const ALGORITHMS: readonly (readonly [alg: number, attributes: number])[] = [
  [TpmAlg.RSA, A.asymmetric | A.object],
  [TpmAlg.SHA1, A.hash],
  [TpmAlg.HMAC, A.hash | A.signing],
  [TpmAlg.AES, A.symmetric],
  [TpmAlg.MGF1, A.hash | A.method],
  [TpmAlg.SHA256, A.hash],
  [TpmAlg.SHA384, A.hash],
  [TpmAlg.SHA512, A.hash],
  [TpmAlg.RSASSA, A.asymmetric | A.signing],
  [TpmAlg.RSAPSS, A.asymmetric | A.signing],
  [TpmAlg.OAEP, A.asymmetric | A.encrypting],
  [TpmAlg.ECDSA, A.asymmetric | A.signing],
  [TpmAlg.ECDH, A.asymmetric | A.method],
  [TpmAlg.KDF1_SP800_56A, A.hash | A.method],
  [TpmAlg.KDF1_SP800_108, A.hash | A.method],
  [TpmAlg.ECC, A.asymmetric | A.object],
  [TpmAlg.CFB, A.symmetric | A.encrypting],
];

const PERMANENT = [
  TpmRh.OWNER,
  TpmRh.NULL,
  TpmRh.PW,
  TpmRh.LOCKOUT,
  TpmRh.ENDORSEMENT,
  TpmRh.PLATFORM,
  TpmRh.PLATFORM_NV,
];
const CURVES = [TpmEccCurve.NIST_P256, TpmEccCurve.NIST_P384];
const PCR_PROPERTIES = 0x15;
/** MAX_CAP_DATA over the size of the smallest item: more is never returned at once. */
const MAX_ITEMS = 100;

/** TPM_PT_PERMANENT and TPM_PT_STARTUP_CLEAR, Part 2, 8.6 and 8.7. */
const Attribute = {
  LOCKOUT_AUTH_SET: 1 << 2,
  OWNER_AUTH_SET: 1 << 0,
  ENDORSEMENT_AUTH_SET: 1 << 1,
  IN_LOCKOUT: 1 << 9,
  TPM_GENERATED_EPS: 1 << 10,
} as const;
const HIERARCHIES_ENABLED = 0b1111;
const ORDERLY = 2 ** 31;

/** The handler needs the list of all commands, which it is on itself. */
export function capabilityCommand(listed: () => readonly number[]) {
  return handler(commands.GetCapability, {}, ({ tpm, parameters: { capability, property, propertyCount } }) => {
    const page = { property, count: Math.min(propertyCount, MAX_ITEMS) };
    const { more, data } = lookUp(tpm, capability, page, listed);
    return { response: { moreData: more ? 1 : 0, capabilityData: data } };
  });
}

interface Page {
  readonly property: number;
  readonly count: number;
}

interface Found {
  readonly more: boolean;
  readonly data: TpmsCapabilityData;
}

function lookUp(tpm: Machine, capability: number, page: Page, listed: () => readonly number[]): Found {
  switch (capability) {
    case TpmCap.ALGS: {
      const { more, items } = take(
        ALGORITHMS.map(([alg, algProperties]) => ({ alg, algProperties })),
        ({ alg }) => alg,
        page,
      );
      return { more, data: { capability, data: items } };
    }
    case TpmCap.HANDLES: {
      const { more, items } = take(handles(tpm, page.property), (handle) => handle, page);
      return { more, data: { capability, data: items } };
    }
    case TpmCap.COMMANDS: {
      const { more, items } = take(listed(), (attributes) => attributes & 0xffff, page);
      return { more, data: { capability, data: items } };
    }
    case TpmCap.PP_COMMANDS:
    case TpmCap.AUDIT_COMMANDS:
      return { more: false, data: { capability, data: [] } }; // no command needs physical presence, none is audited
    case TpmCap.PCRS:
      if (page.property !== 0) refuse(TpmRc.VALUE, parameter(2));
      if (page.count === 0) return { more: true, data: { capability, data: [] } };
      return {
        more: false,
        data: { capability, data: PCR_BANKS.map((bank) => ({ hash: hashAlgOf(bank), pcrSelect: 2 ** PCR_COUNT - 1 })) },
      };
    case TpmCap.TPM_PROPERTIES: {
      const { more, items } = take(propertyGroup(tpm, page.property, listed), ({ property }) => property, page);
      return { more, data: { capability, data: items } };
    }
    case TpmCap.PCR_PROPERTIES: {
      const { more, items } = take(pcrProperties(), ({ tag }) => tag, page);
      return { more, data: { capability, data: items } };
    }
    case TpmCap.ECC_CURVES: {
      const { more, items } = take(CURVES, (curve) => curve, page);
      return { more, data: { capability, data: items } };
    }
    case TpmCap.AUTH_POLICIES:
      if (handleType(page.property) !== TpmHt.PERMANENT) refuse(TpmRc.VALUE, parameter(2));
      return { more: false, data: { capability, data: [] } }; // no hierarchy has a policy
    default:
      return refuse(TpmRc.VALUE, parameter(1));
  }
}

/** The items from `property` on, in ascending order, `count` at most. */
function take<T>(all: readonly T[], key: (item: T) => number, { property, count }: Page) {
  const from = all.filter((item) => key(item) >= property);
  return { more: from.length > count, items: from.slice(0, count) };
}

function handles({ nv, ram }: Machine, property: number): readonly number[] {
  const ascending = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
  switch (handleType(property)) {
    case TpmHt.PCR:
      return Array.from({ length: PCR_COUNT }, (_, pcr) => pcr);
    case TpmHt.NV_INDEX:
      return ascending(nv.indices.keys());
    case TpmHt.HMAC_SESSION: // as a range: the loaded sessions of both types
      return ram.sessions.all().map(({ handle }) => handle);
    case TpmHt.POLICY_SESSION: // as a range: the saved sessions
      return [];
    case TpmHt.PERMANENT:
      return PERMANENT;
    case TpmHt.TRANSIENT:
      return ram.objects.handles();
    case TpmHt.PERSISTENT:
      return ascending(nv.persistent.keys());
    default:
      return refuse(TpmRc.HANDLE, parameter(2));
  }
}

function pcrProperties() {
  return Array.from({ length: PCR_PROPERTIES }, (_, tag) => ({ tag, pcrSelect: pcrProperty(tag) })).flatMap(
    ({ tag, pcrSelect }) => (pcrSelect === undefined ? [] : { tag, pcrSelect }),
  );
}

/** The properties of the group that `property` is in: FIXED from 0x100, VAR from 0x200. */
function propertyGroup(tpm: Machine, property: number, listed: () => readonly number[]) {
  const group = property < firstVariable ? fixed(listed().length) : variable(tpm);
  return Object.entries(group).map(([name, value]) => ({ property: TpmPt[name as keyof typeof TpmPt], value }));
}

const firstVariable = TpmPt.PERMANENT;
type Properties = Partial<Record<keyof typeof TpmPt, number>>;

function fourCharacters(text: string, at = 0): number {
  return [0, 1, 2, 3].reduce((word, i) => word * 256 + (text.charCodeAt(at + i) || 0), 0);
}

function fixed(commandCount: number): Properties {
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
    ACTIVE_SESSIONS_MAX: SESSION_SLOTS,
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

function variable({ nv, ram }: Machine): Properties {
  const { lockout } = nv;
  const flag = (on: boolean, bit: number) => (on ? bit : 0);
  const loaded = ram.sessions.all().length;
  return {
    PERMANENT:
      Attribute.TPM_GENERATED_EPS |
      flag(nv.owner.auth.byteLength > 0, Attribute.OWNER_AUTH_SET) |
      flag(nv.endorsement.auth.byteLength > 0, Attribute.ENDORSEMENT_AUTH_SET) |
      flag(nv.lockoutAuth.byteLength > 0, Attribute.LOCKOUT_AUTH_SET) |
      flag(lockout.failedTries >= lockout.maxTries, Attribute.IN_LOCKOUT),
    STARTUP_CLEAR:
      HIERARCHIES_ENABLED + flag(ram.previous === Orderly.CLEAR || ram.previous === Orderly.STATE, ORDERLY),
    HR_NV_INDEX: nv.indices.size,
    HR_LOADED: loaded,
    HR_LOADED_AVAIL: SESSION_SLOTS - loaded,
    HR_ACTIVE: loaded,
    HR_ACTIVE_AVAIL: SESSION_SLOTS - loaded,
    HR_TRANSIENT_AVAIL: ram.objects.free,
    HR_PERSISTENT: nv.persistent.size,
    HR_PERSISTENT_AVAIL: NvLimit.PERSISTENT - nv.persistent.size,
    NV_COUNTERS: 0,
    NV_COUNTERS_AVAIL: 0,
    ALGORITHM_SET: 0,
    LOADED_CURVES: CURVES.length,
    LOCKOUT_COUNTER: lockout.failedTries,
    MAX_AUTH_FAIL: lockout.maxTries,
    LOCKOUT_INTERVAL: lockout.recoveryTime,
    LOCKOUT_RECOVERY: lockout.lockoutRecovery,
  };
}
