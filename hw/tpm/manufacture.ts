import type { Random } from "../../shared/ports/index.ts";
import {
  type CommandSpec,
  commands,
  EkCertificateIndex,
  ekEcc,
  ekRsa,
  explainRc,
  publicKeyOf,
  TpmAlg,
  TpmaNvBit,
  TpmCap,
  TpmError,
  TpmPt,
  TpmRc,
  TpmRh,
  type TpmtPublic,
} from "../../shared/tpm/index.ts";
import { buildEkCertificate, type Certificate } from "../../shared/x509/index.ts";
import { createVendorCa, type VendorCa } from "./vendor-ca.ts";

/**
 * What a vendor does to a TPM before it is sold: EKs by the templates of the TCG EK Credential Profile, certificates for them in NV,
 * and the issuing CA's certificate beside them.
 */

/** Runs commands; the attester's TpmRunner is one. Rejects with TpmError when the TPM refuses. */
export interface CommandRunner {
  run<P, R>(
    spec: CommandSpec<P, R>,
    input: { readonly handles?: readonly number[]; readonly parameters: P },
  ): Promise<{ readonly handle: number; readonly response: R }>;
}

export interface ManufactureOptions {
  readonly random: Random;
  /** Milliseconds since 1970: where the certificates begin. */
  readonly today: number;
  /** Several TPMs of one vendor; a CA of its own when left out. */
  readonly ca?: VendorCa;
  /** Replace certificates that are there. */
  readonly force?: boolean;
}

export interface Manufactured {
  readonly ok: true;
  /** What a token must trust. */
  readonly root: Certificate;
  readonly intermediate: Certificate;
  readonly ekRsa: Certificate;
  readonly ekEcc: Certificate;
}

export interface NotManufactured {
  readonly ok: false;
  readonly reason: "already-manufactured" | "hierarchies-locked";
  /** A sentence for people. */
  readonly detail: string;
}

/** Where the chain above an EK certificate lies: TCG EK Credential Profile, 2.2.1.5.2, from 0x01C00100 on. */
export const EK_CHAIN_INDEX = 0x01c00100;

const NONE = new Uint8Array(0);
const NV_PIECE_BYTES = 1024;

const Bit = TpmaNvBit;
const READ_ALL = Bit.AUTHREAD | Bit.OWNERREAD | Bit.PPREAD | Bit.NO_DA;

/** Who may define an index, tried in this order: a vendor is the platform; where that is locked, the owner will do. */
const DEFINERS = [
  { hierarchy: TpmRh.PLATFORM, attributes: READ_ALL | Bit.PPWRITE | Bit.PLATFORMCREATE | Bit.WRITEDEFINE },
  { hierarchy: TpmRh.OWNER, attributes: READ_ALL | Bit.OWNERWRITE },
] as const;

/** What a hierarchy whose authorization is not empty, or that is off, answers. */
const LOCKED: ReadonlySet<number> = new Set([
  TpmRc.BAD_AUTH,
  TpmRc.AUTH_FAIL,
  TpmRc.HIERARCHY,
  TpmRc.AUTH_UNAVAILABLE,
  TpmRc.LOCKOUT,
  TpmRc.NV_AUTHORIZATION,
]);

/** Rejects with TpmError when the TPM refuses what a TPM of the PC Client profile does not refuse. Leaves no object loaded. */
export async function manufactureTpm(
  tpm: CommandRunner,
  options: ManufactureOptions,
): Promise<Manufactured | NotManufactured> {
  const { random, today } = options;
  const taken = await definedIndices(tpm);
  if (taken.length > 0 && options.force !== true) {
    const where = taken.map((index) => `0x${index.toString(16).padStart(8, "0")}`).join(", ");
    return { ok: false, reason: "already-manufactured", detail: `The TPM has EK certificates already (NV ${where}).` };
  }
  try {
    for (const index of taken) await undefine(tpm, index);
    const ca = options.ca ?? createVendorCa({ random, today });
    const described = await describe(tpm);
    const certify = async (template: TpmtPublic) => {
      const publicKey = publicKeyOf(await makeEk(tpm, template));
      if (publicKey === undefined) throw new RangeError("the TPM made an EK of another kind than asked for");
      return buildEkCertificate({ publicKey, notBefore: today, ...described }, ca.issuer, random);
    };
    const rsa = await certify(ekRsa);
    const ecc = await certify(ekEcc);
    const intermediate = ca.issuer.certificate;
    await install(tpm, EkCertificateIndex.RSA_2048, rsa.der);
    await install(tpm, EkCertificateIndex.ECC_P256, ecc.der);
    await install(tpm, EK_CHAIN_INDEX, intermediate.der);
    return { ok: true, root: ca.root, intermediate, ekRsa: rsa, ekEcc: ecc };
  } catch (error) {
    if (!isLocked(error)) throw error;
    const detail = `The TPM does not take certificates: its hierarchies have passwords (${explainRc(error.rc).name}).`;
    return { ok: false, reason: "hierarchies-locked", detail };
  }
}

function isLocked(error: unknown): error is TpmError {
  return error instanceof TpmError && LOCKED.has(error.base);
}

async function definedIndices(tpm: CommandRunner): Promise<readonly number[]> {
  const wanted = [EkCertificateIndex.RSA_2048, EkCertificateIndex.ECC_P256, EK_CHAIN_INDEX];
  const { response } = await tpm.run(commands.GetCapability, {
    parameters: { capability: TpmCap.HANDLES, property: Math.min(...wanted), propertyCount: 64 },
  });
  const { capabilityData } = response;
  const defined = capabilityData.capability === TpmCap.HANDLES ? capabilityData.data : [];
  return wanted.filter((index) => defined.includes(index));
}

/** As its properties say it, in the form of the TCG EK Credential Profile, 3.1.2. */
async function describe(tpm: CommandRunner): Promise<{ manufacturer: string; model: string; version: string }> {
  const { response } = await tpm.run(commands.GetCapability, {
    parameters: { capability: TpmCap.TPM_PROPERTIES, property: TpmPt.MANUFACTURER, propertyCount: 8 },
  });
  const { capabilityData } = response;
  const properties = capabilityData.capability === TpmCap.TPM_PROPERTIES ? capabilityData.data : [];
  const value = (property: number) => properties.find((one) => one.property === property)?.value ?? 0;
  const id = (word: number) => `id:${word.toString(16).padStart(8, "0").toUpperCase()}`;
  const vendor = [TpmPt.VENDOR_STRING_1, TpmPt.VENDOR_STRING_2, TpmPt.VENDOR_STRING_3, TpmPt.VENDOR_STRING_4];
  const model = vendor
    .map((property) => text(value(property)))
    .join("")
    .trim();
  return {
    manufacturer: id(value(TpmPt.MANUFACTURER)),
    model: model || "TPM",
    version: id(value(TpmPt.FIRMWARE_VERSION_1)),
  };
}

/** Four characters of a property; what does not print is left out. */
function text(word: number): string {
  return String.fromCharCode(...[24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff)).replace(/[^ -~]/g, "");
}

async function makeEk(tpm: CommandRunner, template: TpmtPublic): Promise<TpmtPublic> {
  const { handle, response } = await tpm.run(commands.CreatePrimary, {
    handles: [TpmRh.ENDORSEMENT],
    parameters: { inSensitive: { userAuth: NONE, data: NONE }, inPublic: template, outsideInfo: NONE, creationPCR: [] },
  });
  await tpm.run(commands.FlushContext, { parameters: { flushHandle: handle } });
  return response.outPublic;
}

async function install(tpm: CommandRunner, nvIndex: number, content: Uint8Array): Promise<void> {
  const hierarchy = await define(tpm, nvIndex, content.byteLength);
  for (let offset = 0; offset < content.byteLength; offset += NV_PIECE_BYTES) {
    const data = content.subarray(offset, offset + NV_PIECE_BYTES);
    await tpm.run(commands.NV_Write, { handles: [hierarchy, nvIndex], parameters: { data, offset } });
  }
}

/** The hierarchy that defined the index, which may also write it. */
async function define(tpm: CommandRunner, nvIndex: number, dataSize: number): Promise<number> {
  return firstThatMay(({ hierarchy, attributes }) =>
    tpm.run(commands.NV_DefineSpace, {
      handles: [hierarchy],
      parameters: {
        auth: NONE,
        publicInfo: { nvIndex, nameAlg: TpmAlg.SHA256, attributes, authPolicy: NONE, dataSize },
      },
    }),
  );
}

async function undefine(tpm: CommandRunner, nvIndex: number): Promise<void> {
  await firstThatMay(({ hierarchy }) =>
    tpm.run(commands.NV_UndefineSpace, { handles: [hierarchy, nvIndex], parameters: {} }),
  );
}

async function firstThatMay(attempt: (definer: (typeof DEFINERS)[number]) => Promise<unknown>): Promise<number> {
  let refused: unknown;
  for (const definer of DEFINERS) {
    try {
      await attempt(definer);
      return definer.hierarchy;
    } catch (error) {
      if (!isLocked(error)) throw error;
      refused = error;
    }
  }
  throw refused;
}
