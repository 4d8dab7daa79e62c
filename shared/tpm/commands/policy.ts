/** Commands of TPM 2.0 Part 3, 23: enhanced authorization. */
import { mapped, u32be } from "../../bytes/index.ts";
import { Tpm2bDigest, Tpm2bNonce, Tpm2bTimeout } from "../buffers.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { TpmtTkAuth } from "../creation.ts";
import { TpmlBranches, TpmlPcrSelection } from "../pcr-selection.ts";

/** INT32 */
const i32be = mapped(
  u32be,
  (value) => value | 0,
  (value) => value >>> 0,
);

export const policyCommands = {
  PolicySecret: command("PolicySecret", {
    code: TpmCc.PolicySecret,
    handles: { authHandle: "user", policySession: "none" },
    parameters: { nonceTPM: Tpm2bNonce, cpHashA: Tpm2bDigest, policyRef: Tpm2bNonce, expiration: i32be },
    response: { timeout: Tpm2bTimeout, policyTicket: TpmtTkAuth },
  }),
  PolicyOR: command("PolicyOR", {
    code: TpmCc.PolicyOR,
    handles: { policySession: "none" },
    parameters: { pHashList: TpmlBranches },
    response: {},
  }),
  PolicyPCR: command("PolicyPCR", {
    code: TpmCc.PolicyPCR,
    handles: { policySession: "none" },
    parameters: { pcrDigest: Tpm2bDigest, pcrs: TpmlPcrSelection },
    response: {},
  }),
  PolicyCommandCode: command("PolicyCommandCode", {
    code: TpmCc.PolicyCommandCode,
    handles: { policySession: "none" },
    parameters: { code: u32be },
    response: {},
  }),
  PolicyAuthValue: command("PolicyAuthValue", {
    code: TpmCc.PolicyAuthValue,
    handles: { policySession: "none" },
    parameters: {},
    response: {},
  }),
  PolicyPassword: command("PolicyPassword", {
    code: TpmCc.PolicyPassword,
    handles: { policySession: "none" },
    parameters: {},
    response: {},
  }),
  PolicyGetDigest: command("PolicyGetDigest", {
    code: TpmCc.PolicyGetDigest,
    handles: { policySession: "none" },
    parameters: {},
    response: { policyDigest: Tpm2bDigest },
  }),
} as const;
