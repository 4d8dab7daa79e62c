/** The commands of TPM 2.0 Part 3 that the attester, the manufacturing and the emulator know, in the order of Part 3. */
import { mapped, oneOf, u8, u16be, u32be } from "../bytes/index.ts";
import {
  Tpm2bAttest,
  Tpm2bAuth,
  Tpm2bData,
  Tpm2bDigest,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  Tpm2bMaxBuffer,
  Tpm2bMaxNvBuffer,
  Tpm2bName,
  Tpm2bNonce,
  Tpm2bPrivate,
  Tpm2bTimeout,
  TpmiYesNo,
} from "./buffers.ts";
import { TpmsCapabilityData } from "./capability.ts";
import { TpmsTimeInfo } from "./clock.ts";
import { TpmCc } from "./command-codes.ts";
import { type AnyCommandSpec, command } from "./command-spec.ts";
import { TpmSe, TpmSu } from "./constants.ts";
import { TpmsContext } from "./context.ts";
import { Tpm2bCreationData, TpmtTkAuth, TpmtTkCreation, TpmtTkHashcheck } from "./creation.ts";
import { TpmlDigestValues } from "./hash.ts";
import { Tpm2bNvPublic } from "./nv.ts";
import { TpmlDigest, TpmlPcrSelection } from "./pcr-selection.ts";
import { Tpm2bPublic } from "./public.ts";
import { TpmtSigScheme, TpmtSymDef } from "./schemes.ts";
import { Tpm2bSensitiveCreate } from "./sensitive.ts";
import { TpmtSignature } from "./signature.ts";

/** INT32 */
const i32be = mapped(
  u32be,
  (value) => value | 0,
  (value) => value >>> 0,
);

const startupType = oneOf(u16be, [TpmSu.CLEAR, TpmSu.STATE]);

/** What TPM2_CreatePrimary and TPM2_Create take. */
const creation = {
  inSensitive: Tpm2bSensitiveCreate,
  inPublic: Tpm2bPublic,
  outsideInfo: Tpm2bData,
  creationPCR: TpmlPcrSelection,
} as const;

/** What both of them return. */
const created = {
  outPublic: Tpm2bPublic,
  creationData: Tpm2bCreationData,
  creationHash: Tpm2bDigest,
  creationTicket: TpmtTkCreation,
} as const;

export const commands = {
  // 9: start-up
  Startup: command("Startup", { code: TpmCc.Startup, parameters: { startupType }, response: {} }),
  Shutdown: command("Shutdown", { code: TpmCc.Shutdown, parameters: { shutdownType: startupType }, response: {} }),
  // 10: testing
  SelfTest: command("SelfTest", { code: TpmCc.SelfTest, parameters: { fullTest: TpmiYesNo }, response: {} }),
  // 11: session commands
  StartAuthSession: command("StartAuthSession", {
    code: TpmCc.StartAuthSession,
    handles: { tpmKey: "none", bind: "none" },
    parameters: {
      nonceCaller: Tpm2bNonce,
      encryptedSalt: Tpm2bEncryptedSecret,
      sessionType: oneOf(u8, [TpmSe.HMAC, TpmSe.POLICY, TpmSe.TRIAL]),
      symmetric: TpmtSymDef,
      authHash: u16be,
    },
    responseHandles: 1,
    response: { nonceTPM: Tpm2bNonce },
  }),
  // 12: object commands
  Create: command("Create", {
    code: TpmCc.Create,
    handles: { parentHandle: "user" },
    parameters: creation,
    response: { outPrivate: Tpm2bPrivate, ...created },
  }),
  Load: command("Load", {
    code: TpmCc.Load,
    handles: { parentHandle: "user" },
    parameters: { inPrivate: Tpm2bPrivate, inPublic: Tpm2bPublic },
    responseHandles: 1,
    response: { name: Tpm2bName },
  }),
  ReadPublic: command("ReadPublic", {
    code: TpmCc.ReadPublic,
    handles: { objectHandle: "none" },
    parameters: {},
    response: { outPublic: Tpm2bPublic, name: Tpm2bName, qualifiedName: Tpm2bName },
  }),
  ActivateCredential: command("ActivateCredential", {
    code: TpmCc.ActivateCredential,
    handles: { activateHandle: "admin", keyHandle: "user" },
    parameters: { credentialBlob: Tpm2bIdObject, secret: Tpm2bEncryptedSecret },
    response: { certInfo: Tpm2bDigest },
  }),
  MakeCredential: command("MakeCredential", {
    code: TpmCc.MakeCredential,
    handles: { handle: "none" },
    parameters: { credential: Tpm2bDigest, objectName: Tpm2bName },
    response: { credentialBlob: Tpm2bIdObject, secret: Tpm2bEncryptedSecret },
  }),
  // 15: symmetric primitives
  Hash: command("Hash", {
    code: TpmCc.Hash,
    parameters: { data: Tpm2bMaxBuffer, hashAlg: u16be, hierarchy: u32be },
    response: { outHash: Tpm2bDigest, validation: TpmtTkHashcheck },
  }),
  // 16: random numbers
  GetRandom: command("GetRandom", {
    code: TpmCc.GetRandom,
    parameters: { bytesRequested: u16be },
    response: { randomBytes: Tpm2bDigest },
  }),
  // 17: hash sequences
  HashSequenceStart: command("HashSequenceStart", {
    code: TpmCc.HashSequenceStart,
    parameters: { auth: Tpm2bAuth, hashAlg: u16be },
    responseHandles: 1,
    response: {},
  }),
  SequenceUpdate: command("SequenceUpdate", {
    code: TpmCc.SequenceUpdate,
    handles: { sequenceHandle: "user" },
    parameters: { buffer: Tpm2bMaxBuffer },
    response: {},
  }),
  SequenceComplete: command("SequenceComplete", {
    code: TpmCc.SequenceComplete,
    handles: { sequenceHandle: "user" },
    parameters: { buffer: Tpm2bMaxBuffer, hierarchy: u32be },
    response: { result: Tpm2bDigest, validation: TpmtTkHashcheck },
  }),
  // 18: attestation
  Quote: command("Quote", {
    code: TpmCc.Quote,
    handles: { signHandle: "user" },
    parameters: { qualifyingData: Tpm2bData, inScheme: TpmtSigScheme, PCRselect: TpmlPcrSelection },
    response: { quoted: Tpm2bAttest, signature: TpmtSignature },
  }),
  // 20: signing
  Sign: command("Sign", {
    code: TpmCc.Sign,
    handles: { keyHandle: "user" },
    parameters: { digest: Tpm2bDigest, inScheme: TpmtSigScheme, validation: TpmtTkHashcheck },
    response: { signature: TpmtSignature },
  }),
  // 22: integrity collection
  PCR_Extend: command("PCR_Extend", {
    code: TpmCc.PCR_Extend,
    handles: { pcrHandle: "user" },
    parameters: { digests: TpmlDigestValues },
    response: {},
  }),
  PCR_Read: command("PCR_Read", {
    code: TpmCc.PCR_Read,
    parameters: { pcrSelectionIn: TpmlPcrSelection },
    response: { pcrUpdateCounter: u32be, pcrSelectionOut: TpmlPcrSelection, pcrValues: TpmlDigest },
  }),
  PCR_Reset: command("PCR_Reset", {
    code: TpmCc.PCR_Reset,
    handles: { pcrHandle: "user" },
    parameters: {},
    response: {},
  }),
  // 23: enhanced authorization
  PolicySecret: command("PolicySecret", {
    code: TpmCc.PolicySecret,
    handles: { authHandle: "user", policySession: "none" },
    parameters: { nonceTPM: Tpm2bNonce, cpHashA: Tpm2bDigest, policyRef: Tpm2bNonce, expiration: i32be },
    response: { timeout: Tpm2bTimeout, policyTicket: TpmtTkAuth },
  }),
  PolicyGetDigest: command("PolicyGetDigest", {
    code: TpmCc.PolicyGetDigest,
    handles: { policySession: "none" },
    parameters: {},
    response: { policyDigest: Tpm2bDigest },
  }),
  // 24: hierarchies
  CreatePrimary: command("CreatePrimary", {
    code: TpmCc.CreatePrimary,
    handles: { primaryHandle: "user" },
    parameters: creation,
    responseHandles: 1,
    response: { ...created, name: Tpm2bName },
  }),
  // 28: context management
  ContextSave: command("ContextSave", {
    code: TpmCc.ContextSave,
    handles: { saveHandle: "none" },
    parameters: {},
    response: { context: TpmsContext },
  }),
  ContextLoad: command("ContextLoad", {
    code: TpmCc.ContextLoad,
    parameters: { context: TpmsContext },
    responseHandles: 1,
    response: {},
  }),
  /** The handle is a parameter here: Part 3, 28.4.1. */
  FlushContext: command("FlushContext", {
    code: TpmCc.FlushContext,
    parameters: { flushHandle: u32be },
    response: {},
  }),
  EvictControl: command("EvictControl", {
    code: TpmCc.EvictControl,
    handles: { auth: "user", objectHandle: "none" },
    parameters: { persistentHandle: u32be },
    response: {},
  }),
  // 29: clock
  ReadClock: command("ReadClock", {
    code: TpmCc.ReadClock,
    parameters: {},
    response: { currentTime: TpmsTimeInfo },
  }),
  // 30: capability
  GetCapability: command("GetCapability", {
    code: TpmCc.GetCapability,
    parameters: { capability: u32be, property: u32be, propertyCount: u32be },
    response: { moreData: TpmiYesNo, capabilityData: TpmsCapabilityData },
  }),
  // 31: non-volatile storage
  NV_DefineSpace: command("NV_DefineSpace", {
    code: TpmCc.NV_DefineSpace,
    handles: { authHandle: "user" },
    parameters: { auth: Tpm2bAuth, publicInfo: Tpm2bNvPublic },
    response: {},
  }),
  NV_UndefineSpace: command("NV_UndefineSpace", {
    code: TpmCc.NV_UndefineSpace,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: {},
    response: {},
  }),
  NV_ReadPublic: command("NV_ReadPublic", {
    code: TpmCc.NV_ReadPublic,
    handles: { nvIndex: "none" },
    parameters: {},
    response: { nvPublic: Tpm2bNvPublic, nvName: Tpm2bName },
  }),
  NV_Write: command("NV_Write", {
    code: TpmCc.NV_Write,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: { data: Tpm2bMaxNvBuffer, offset: u16be },
    response: {},
  }),
  NV_Read: command("NV_Read", {
    code: TpmCc.NV_Read,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: { size: u16be, offset: u16be },
    response: { data: Tpm2bMaxNvBuffer },
  }),
} as const;

const BY_CODE: ReadonlyMap<number, AnyCommandSpec> = new Map(Object.values(commands).map((spec) => [spec.code, spec]));

/** The entry of a command code; undefined when it is not among ours. */
export function commandByCode(code: number): AnyCommandSpec | undefined {
  return BY_CODE.get(code);
}
