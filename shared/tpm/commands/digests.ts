/** Commands of TPM 2.0 Part 3, 15 to 17 and 22: hashes, random numbers, sequences, PCRs. */
import { u16be, u32be } from "../../bytes/index.ts";
import { Tpm2bAuth, Tpm2bDigest, Tpm2bEvent, Tpm2bMaxBuffer } from "../buffers.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { TpmtTkHashcheck } from "../creation.ts";
import { TpmlDigestValues } from "../hash.ts";
import { TpmlDigest, TpmlPcrSelection } from "../pcr-selection.ts";

export const digestsCommands = {
  HMAC: command("HMAC", {
    code: TpmCc.HMAC,
    handles: { handle: "user" },
    parameters: { buffer: Tpm2bMaxBuffer, hashAlg: u16be },
    response: { outHMAC: Tpm2bDigest },
  }),
  Hash: command("Hash", {
    code: TpmCc.Hash,
    parameters: { data: Tpm2bMaxBuffer, hashAlg: u16be, hierarchy: u32be },
    response: { outHash: Tpm2bDigest, validation: TpmtTkHashcheck },
  }),
  GetRandom: command("GetRandom", {
    code: TpmCc.GetRandom,
    parameters: { bytesRequested: u16be },
    response: { randomBytes: Tpm2bDigest },
  }),
  HMAC_Start: command("HMAC_Start", {
    code: TpmCc.HMAC_Start,
    handles: { handle: "user" },
    parameters: { auth: Tpm2bAuth, hashAlg: u16be },
    responseHandles: 1,
    response: {},
  }),
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
  EventSequenceComplete: command("EventSequenceComplete", {
    code: TpmCc.EventSequenceComplete,
    handles: { pcrHandle: "user", sequenceHandle: "user" },
    parameters: { buffer: Tpm2bMaxBuffer },
    response: { results: TpmlDigestValues },
  }),
  PCR_Extend: command("PCR_Extend", {
    code: TpmCc.PCR_Extend,
    handles: { pcrHandle: "user" },
    parameters: { digests: TpmlDigestValues },
    response: {},
  }),
  PCR_Event: command("PCR_Event", {
    code: TpmCc.PCR_Event,
    handles: { pcrHandle: "user" },
    parameters: { eventData: Tpm2bEvent },
    response: { digests: TpmlDigestValues },
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
} as const;
