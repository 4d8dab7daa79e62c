import {
  commands,
  firstHandle,
  handleType,
  hashAlgOf,
  TpmAlg,
  TpmCap,
  TpmEccCurve,
  TpmHt,
  TpmRc,
  TpmRh,
  type TpmsCapabilityData,
} from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { PCR_BANKS, PCR_COUNT, pcrProperty } from "../pcr.ts";
import { parameter, refuse } from "../refusal.ts";
import { properties } from "./properties.ts";

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
      const { more, items } = takeHandles(tpm, page);
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
      const { more, items } = take(properties(tpm, page.property, listed().length), ({ property }) => property, page);
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
      return authPolicies(capability, page);
    default:
      return refuse(TpmRc.VALUE, parameter(1));
  }
}

/** The items from `property` on, in ascending order, `count` at most. */
function take<T>(all: readonly T[], key: (item: T) => number, { property, count }: Page) {
  const from = all.filter((item) => key(item) >= property);
  return { more: from.length > count, items: from.slice(0, count) };
}

/** The policies of the hierarchies: none has one. */
function authPolicies(capability: typeof TpmCap.AUTH_POLICIES, page: Page): Found {
  const { more, items } = take(
    [TpmRh.OWNER, TpmRh.LOCKOUT, TpmRh.ENDORSEMENT, TpmRh.PLATFORM],
    (handle) => handle,
    page,
  );
  const policyHash = { hashAlg: TpmAlg.NULL } as const;
  return { more, data: { capability, data: items.map((handle) => ({ handle, policyHash })) } };
}

/** Sessions of both types stand in the order of their indices. */
function takeHandles(tpm: Machine, page: Page) {
  const all = handles(tpm, page.property);
  const type = handleType(page.property);
  if (type !== TpmHt.HMAC_SESSION && type !== TpmHt.POLICY_SESSION) return take(all, (handle) => handle, page);
  const index = (handle: number) => handle & 0x00ff_ffff;
  return take(all, index, { ...page, property: index(page.property) });
}

function handles({ nv, ram }: Machine, property: number): readonly number[] {
  const ascending = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
  switch (handleType(property)) {
    case TpmHt.PCR:
      return Array.from({ length: PCR_COUNT }, (_, pcr) => pcr);
    case TpmHt.NV_INDEX:
      return ascending(nv.indices.keys());
    case TpmHt.HMAC_SESSION: // as a range: the loaded sessions of both types
      return ram.sessions.loaded().map(({ handle }) => handle);
    case TpmHt.POLICY_SESSION: // as a range: the saved sessions, which show as HMAC sessions
      return ram.sessions.saved().ids.map(({ index }) => firstHandle(TpmHt.HMAC_SESSION) + index);
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
