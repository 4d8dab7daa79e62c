/** Commands of TPM 2.0 Part 3, 12 and 24.1: objects. */
import { u32be } from "../../bytes/index.ts";
import {
  Tpm2bData,
  Tpm2bDigest,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  Tpm2bName,
  Tpm2bPrivate,
  Tpm2bSensitiveData,
} from "../buffers.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { Tpm2bCreationData, TpmtTkCreation } from "../creation.ts";
import { TpmlPcrSelection } from "../pcr-selection.ts";
import { Tpm2bPublic, Tpm2bTemplate } from "../public.ts";
import { Tpm2bOptionalSensitive, Tpm2bSensitiveCreate } from "../sensitive.ts";

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

export const objectsCommands = {
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
  LoadExternal: command("LoadExternal", {
    code: TpmCc.LoadExternal,
    parameters: { inPrivate: Tpm2bOptionalSensitive, inPublic: Tpm2bPublic, hierarchy: u32be },
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
  Unseal: command("Unseal", {
    code: TpmCc.Unseal,
    handles: { itemHandle: "user" },
    parameters: {},
    response: { outData: Tpm2bSensitiveData },
  }),
  /** `inPublic` is a TPMT_PUBLIC: keys are derived from labels here by no parent. */
  CreateLoaded: command("CreateLoaded", {
    code: TpmCc.CreateLoaded,
    handles: { parentHandle: "user" },
    parameters: { inSensitive: Tpm2bSensitiveCreate, inPublic: Tpm2bTemplate },
    responseHandles: 1,
    response: { outPrivate: Tpm2bPrivate, outPublic: Tpm2bPublic, name: Tpm2bName },
  }),
  CreatePrimary: command("CreatePrimary", {
    code: TpmCc.CreatePrimary,
    handles: { primaryHandle: "user" },
    parameters: creation,
    responseHandles: 1,
    response: { ...created, name: Tpm2bName },
  }),
} as const;
