import { constantTimeEqual } from "../../../../shared/bytes/index.ts";
import { digestSize } from "../../../../shared/crypto/index.ts";
import {
  commands,
  TpmAlg,
  TpmaObjectBit,
  TpmRc,
  type TpmtSignature,
  type TpmtTkHashcheck,
} from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { handle as blameHandle, blaming, parameter, refuse } from "../refusal.ts";
import { chooseScheme, sign, verify } from "../signing.ts";
import { expectedHashcheck, verifiedTicket } from "../ticket.ts";
import { hashOf, isHierarchy, isSigScheme, signingKeyAt } from "./checks.ts";

/** Part 3, 20: signing and verification. */

const SIGN = {
  inScheme: isSigScheme,
  validation: ({ hierarchy }: TpmtTkHashcheck, tpm: Machine) => isHierarchy(hierarchy, tpm),
};

const signDigest = handler(commands.Sign, { handles: ["object"], values: SIGN }, ({ tpm, handle, parameters }) => {
  const { digest: digestBytes, inScheme, validation } = parameters;
  const key = signingKeyAt(tpm, handle(0), 1) ?? refuse(TpmRc.KEY, blameHandle(1));
  const attributes = key.area.objectAttributes;
  if ((attributes & TpmaObjectBit.X509_SIGN) !== 0) refuse(TpmRc.ATTRIBUTES, blameHandle(1));
  const scheme = blaming(parameter(2), () => chooseScheme(key, inScheme));
  if (validation.digest.byteLength !== 0 || (attributes & TpmaObjectBit.RESTRICTED) !== 0) {
    const expected = expectedHashcheck(tpm, validation.hierarchy, scheme.hash, digestBytes);
    if (!constantTimeEqual(validation.digest, expected)) refuse(TpmRc.TICKET, parameter(3));
  } else if (digestBytes.byteLength !== digestSize(scheme.hash)) {
    refuse(TpmRc.SIZE, parameter(1));
  }
  return { response: { signature: sign(key, scheme, digestBytes, tpm.random) } };
});

function isSignature(signature: TpmtSignature): void {
  if (signature.sigAlg === TpmAlg.NULL) refuse(TpmRc.SCHEME);
  if ("hash" in signature) hashOf(signature.hash);
}

const verifySignature = handler(
  commands.VerifySignature,
  { handles: ["object"], values: { signature: isSignature } },
  ({ tpm, handle, parameters: { digest, signature } }) => {
    const key = objectAt(tpm, handle(0));
    if (key.kind === "sequence" || (key.area.objectAttributes & TpmaObjectBit.SIGN) === 0)
      refuse(TpmRc.ATTRIBUTES, blameHandle(1));
    blaming(parameter(2), () => verify(key, digest, signature));
    return { response: { validation: verifiedTicket(tpm, key, digest) } };
  },
);

export const signatureCommands = [signDigest, verifySignature] as const;
