/** Commands of TPM 2.0 Part 3, 18 to 20: attestation, verification, signing. */
import { Tpm2bAttest, Tpm2bData, Tpm2bDigest } from "../buffers.ts";
import { TpmCc } from "../command-codes.ts";
import { command } from "../command-spec.ts";
import { TpmtTkHashcheck, TpmtTkVerified } from "../creation.ts";
import { TpmlPcrSelection } from "../pcr-selection.ts";
import { TpmtSigScheme } from "../schemes.ts";
import { TpmtSignature } from "../signature.ts";

export const signingCommands = {
  Certify: command("Certify", {
    code: TpmCc.Certify,
    handles: { objectHandle: "admin", signHandle: "user" },
    parameters: { qualifyingData: Tpm2bData, inScheme: TpmtSigScheme },
    response: { certifyInfo: Tpm2bAttest, signature: TpmtSignature },
  }),
  Quote: command("Quote", {
    code: TpmCc.Quote,
    handles: { signHandle: "user" },
    parameters: { qualifyingData: Tpm2bData, inScheme: TpmtSigScheme, PCRselect: TpmlPcrSelection },
    response: { quoted: Tpm2bAttest, signature: TpmtSignature },
  }),
  VerifySignature: command("VerifySignature", {
    code: TpmCc.VerifySignature,
    handles: { keyHandle: "none" },
    parameters: { digest: Tpm2bDigest, signature: TpmtSignature },
    response: { validation: TpmtTkVerified },
  }),
  Sign: command("Sign", {
    code: TpmCc.Sign,
    handles: { keyHandle: "user" },
    parameters: { digest: Tpm2bDigest, inScheme: TpmtSigScheme, validation: TpmtTkHashcheck },
    response: { signature: TpmtSignature },
  }),
} as const;
