import { digestSize } from "../../../../shared/crypto/index.ts";
import { commands, hashNameOf, makeCredential, TpmRc } from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import { openCredential, openSecret } from "../protection.ts";
import { isStorage } from "../public-area.ts";
import { handle as blameHandle, blaming, parameter, refuse } from "../refusal.ts";
import { keyAt } from "./checks.ts";

/** Part 3, 12.5 and 12.6: credentials. */

const activate = handler(
  commands.ActivateCredential,
  { handles: ["object", "object"] },
  ({ tpm, handle, parameters }) => {
    const object = keyAt(tpm, handle(0), 1);
    const key = keyAt(tpm, handle(1), 2);
    if (!isStorage(key.area)) refuse(TpmRc.TYPE, blameHandle(2));
    const seed = blaming(parameter(2), () => openSecret(key, "IDENTITY", parameters.secret));
    const certInfo = blaming(parameter(1), () => openCredential(key, seed, object.name, parameters.credentialBlob));
    return { response: { certInfo } };
  },
);

const make = handler(
  commands.MakeCredential,
  { handles: ["object"] },
  ({ tpm, handle, parameters: { credential, objectName } }) => {
    const key = keyAt(tpm, handle(0), 1);
    const hash = hashNameOf(key.area.nameAlg);
    if (!isStorage(key.area) || hash === undefined) refuse(TpmRc.TYPE, blameHandle(1));
    if (credential.byteLength > digestSize(hash)) refuse(TpmRc.SIZE, parameter(1));
    const made = makeCredential(key.area, objectName, credential, tpm.random);
    if (made === undefined) refuse(TpmRc.KEY, blameHandle(1));
    // Both come with their 2-byte size, which the response's codec writes itself.
    return { response: { credentialBlob: made.idObject.subarray(2), secret: made.encSecret.subarray(2) } };
  },
);

export const credentialCommands = [activate, make] as const;
