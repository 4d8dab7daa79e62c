import { constantTimeEqual, encode, Reader } from "../../../../shared/bytes/index.ts";
import { digest, digestSize, kdfa } from "../../../../shared/crypto/index.ts";
import { commands, TpmaObjectBit, TpmRc, TpmRh, TpmSt, TpmsAttest } from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import type { KeyObject } from "../object.ts";
import { handle as blameHandle, blaming, parameter, refuse } from "../refusal.ts";
import { chooseScheme, sign } from "../signing.ts";
import { expectedHashcheck } from "../ticket.ts";
import { FIRMWARE_VERSION } from "../version.ts";
import { checkHierarchy, checkSelection, signingKeyAt } from "./checks.ts";
import { clockInfo } from "./clock.ts";
import { implemented, selectedValues } from "./pcr.ts";

/** Part 3, 18 and 20: attestation and signing. */

const NONE = new Uint8Array(0);

const quote = handler(commands.Quote, { handles: ["object+"] }, ({ tpm, handle, parameters }) => {
  const { qualifyingData, inScheme, PCRselect } = parameters;
  checkSelection(PCRselect, 3);
  // Without a key there is no scheme, so no hash for the PCRs.
  const key = signingKeyAt(tpm, handle(0), 1) ?? refuse(TpmRc.SCHEME, parameter(2));
  const scheme = blaming(parameter(2), () => chooseScheme(key, inScheme));
  const pcrSelect = implemented(PCRselect);
  const quoted = encode(TpmsAttest, {
    type: TpmSt.ATTEST_QUOTE,
    qualifiedSigner: key.qualifiedName,
    extraData: qualifyingData,
    ...statedTime(tpm, key),
    attested: { pcrSelect, pcrDigest: digest(scheme.hash, ...selectedValues(tpm, pcrSelect)) },
  });
  return { response: { quoted, signature: sign(key, scheme, digest(scheme.hash, quoted), tpm.random) } };
});

/**
 * Clock and firmware as a signer states them. Keys of the storage hierarchy show counts and version displaced by a secret that is
 * constant for the key, so that nobody can follow the TPM by them: Part 1, 36.7.
 */
function statedTime(tpm: Machine, { hierarchy, qualifiedName }: KeyObject) {
  const plain = clockInfo(tpm);
  const open = hierarchy === TpmRh.ENDORSEMENT || hierarchy === TpmRh.PLATFORM;
  if (open) return { clockInfo: plain, firmwareVersion: FIRMWARE_VERSION };
  const proof = hierarchyOf(tpm, TpmRh.OWNER)?.proof ?? NONE;
  const mask = new Reader(kdfa("sha512", proof, "OBFUSCATE", qualifiedName, NONE, 128));
  const firmwareVersion = BigInt.asUintN(64, FIRMWARE_VERSION + mask.u64be());
  const resetCount = (plain.resetCount + mask.u32be()) >>> 0;
  const restartCount = (plain.restartCount + mask.u32be()) >>> 0;
  return { clockInfo: { ...plain, resetCount, restartCount }, firmwareVersion };
}

const signDigest = handler(commands.Sign, { handles: ["object"] }, ({ tpm, handle, parameters }) => {
  const { digest: digestBytes, inScheme, validation } = parameters;
  checkHierarchy(tpm, validation.hierarchy, 3);
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

export const attestationCommands = [quote, signDigest] as const;
