/** Commands of TPM 2.0 Part 3, 31: non-volatile storage. */
import { u16be, u64be } from "../../bytes/index.ts";
import { Tpm2bAuth, Tpm2bMaxNvBuffer, Tpm2bName } from "../buffers.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { Tpm2bNvPublic } from "../nv.ts";

export const nvCommands = {
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
  NV_Increment: command("NV_Increment", {
    code: TpmCc.NV_Increment,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: {},
    response: {},
  }),
  NV_Extend: command("NV_Extend", {
    code: TpmCc.NV_Extend,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: { data: Tpm2bMaxNvBuffer },
    response: {},
  }),
  NV_SetBits: command("NV_SetBits", {
    code: TpmCc.NV_SetBits,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: { bits: u64be },
    response: {},
  }),
  NV_Read: command("NV_Read", {
    code: TpmCc.NV_Read,
    handles: { authHandle: "user", nvIndex: "none" },
    parameters: { size: u16be, offset: u16be },
    response: { data: Tpm2bMaxNvBuffer },
  }),
} as const;
