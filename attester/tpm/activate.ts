import { commands } from "../../shared/tpm/index.ts";
import { usingEkPolicy } from "./cleanup.ts";
import type { TpmKey } from "./objects.ts";
import type { TpmRunner } from "./runner.ts";

/**
 * TPM2_ActivateCredential, Part 3, 12.5, with an EK whose policy is PolicySecret(TPM_RH_ENDORSEMENT) and an AIK with an empty password.
 * `idObject` and `encSecret` come without their 2-byte sizes. TpmError when the credential is not for this EK and this AIK.
 */
export async function activateCredential(
  tpm: TpmRunner,
  ek: TpmKey,
  aik: TpmKey,
  idObject: Uint8Array,
  encSecret: Uint8Array,
): Promise<Uint8Array> {
  return usingEkPolicy(tpm, async (session) => {
    const { response } = await tpm.run(commands.ActivateCredential, {
      handles: [aik.handle, ek.handle],
      parameters: { credentialBlob: idObject, secret: encSecret },
      authorizations: [
        { kind: "password", password: new Uint8Array(0) },
        { kind: "policy", session },
      ],
    });
    return response.certInfo;
  });
}
