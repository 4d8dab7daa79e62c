/** Commands of TPM 2.0 Part 3, 24 to 29: hierarchies, dictionary attacks, contexts, clock. */
import { u32be } from "../../bytes/index.ts";
import { Tpm2bAuth, TpmiYesNo } from "../buffers.ts";
import { TpmsTimeInfo } from "../clock.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { TpmsContext } from "../context.ts";

export const managementCommands = {
  Clear: command("Clear", {
    code: TpmCc.Clear,
    handles: { authHandle: "user" },
    parameters: {},
    response: {},
  }),
  ClearControl: command("ClearControl", {
    code: TpmCc.ClearControl,
    handles: { auth: "user" },
    parameters: { disable: TpmiYesNo },
    response: {},
  }),
  HierarchyChangeAuth: command("HierarchyChangeAuth", {
    code: TpmCc.HierarchyChangeAuth,
    handles: { authHandle: "user" },
    parameters: { newAuth: Tpm2bAuth },
    response: {},
  }),
  DictionaryAttackLockReset: command("DictionaryAttackLockReset", {
    code: TpmCc.DictionaryAttackLockReset,
    handles: { lockHandle: "user" },
    parameters: {},
    response: {},
  }),
  DictionaryAttackParameters: command("DictionaryAttackParameters", {
    code: TpmCc.DictionaryAttackParameters,
    handles: { lockHandle: "user" },
    parameters: { newMaxTries: u32be, newRecoveryTime: u32be, lockoutRecovery: u32be },
    response: {},
  }),
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
  ReadClock: command("ReadClock", {
    code: TpmCc.ReadClock,
    parameters: {},
    response: { currentTime: TpmsTimeInfo },
  }),
} as const;
