/** Commands of TPM 2.0 Part 3, 9 to 11 and 30: start-up, testing, sessions, capabilities. */
import { oneOf, u8, u16be, u32be } from "../../bytes/index.ts";
import { Tpm2bEncryptedSecret, Tpm2bMaxBuffer, Tpm2bNonce, TpmiYesNo } from "../buffers.ts";
import { TpmsCapabilityData } from "../capability.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { TpmSe, TpmSu } from "../constants.ts";
import { TpmtPublicParms } from "../public.ts";
import { TpmtSymDef } from "../schemes.ts";

const startupType = oneOf(u16be, [TpmSu.CLEAR, TpmSu.STATE]);

export const startupCommands = {
  Startup: command("Startup", { code: TpmCc.Startup, parameters: { startupType }, response: {} }),
  Shutdown: command("Shutdown", { code: TpmCc.Shutdown, parameters: { shutdownType: startupType }, response: {} }),
  SelfTest: command("SelfTest", { code: TpmCc.SelfTest, parameters: { fullTest: TpmiYesNo }, response: {} }),
  GetTestResult: command("GetTestResult", {
    code: TpmCc.GetTestResult,
    parameters: {},
    response: { outData: Tpm2bMaxBuffer, testResult: u32be },
  }),
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
  PolicyRestart: command("PolicyRestart", {
    code: TpmCc.PolicyRestart,
    handles: { sessionHandle: "none" },
    parameters: {},
    response: {},
  }),
  GetCapability: command("GetCapability", {
    code: TpmCc.GetCapability,
    parameters: { capability: u32be, property: u32be, propertyCount: u32be },
    response: { moreData: TpmiYesNo, capabilityData: TpmsCapabilityData },
  }),
  TestParms: command("TestParms", {
    code: TpmCc.TestParms,
    parameters: { parameters: TpmtPublicParms },
    response: {},
  }),
} as const;
