import { encode, Reader } from "../../../../shared/bytes/index.ts";
import { digest, kdfa } from "../../../../shared/crypto/index.ts";
import { commands, nameOfHandle, TpmAlg, TpmRc, TpmRh, TpmSt, TpmsAttest } from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import type { KeyObject } from "../object.ts";
import { blaming, parameter, refuse } from "../refusal.ts";
import { chooseScheme, sign } from "../signing.ts";
import { FIRMWARE_VERSION } from "../version.ts";
import { isSelection, isSigScheme, signingKeyAt } from "./checks.ts";
import { clockInfo } from "./clock.ts";
import { implemented, selectedValues } from "./pcr.ts";

/** Part 3, 18: attestation. */

const NONE = new Uint8Array(0);
const UNSIGNED = { sigAlg: TpmAlg.NULL } as const;

const quote = handler(
  commands.Quote,
  { handles: ["object+"], values: { inScheme: isSigScheme, PCRselect: isSelection } },
  ({ tpm, handle, parameters }) => {
    const { qualifyingData, inScheme, PCRselect } = parameters;
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
  },
);

const certify = handler(
  commands.Certify,
  { handles: ["object", "object+"], values: { inScheme: isSigScheme } },
  ({ tpm, handle, parameters }) => {
    const { qualifyingData, inScheme } = parameters;
    const key = signingKeyAt(tpm, handle(1), 2);
    const scheme = key === undefined ? undefined : blaming(parameter(2), () => chooseScheme(key, inScheme));
    const certified = objectAt(tpm, handle(0));
    const { name, qualifiedName } = certified.kind === "key" ? certified : { name: NONE, qualifiedName: NONE };
    // Without a key the statement stands unsigned, as that of nobody.
    const signer = key ?? { hierarchy: TpmRh.NULL, qualifiedName: nameOfHandle(TpmRh.NULL) };
    const certifyInfo = encode(TpmsAttest, {
      type: TpmSt.ATTEST_CERTIFY,
      qualifiedSigner: signer.qualifiedName,
      extraData: qualifyingData,
      ...statedTime(tpm, signer),
      attested: { name, qualifiedName },
    });
    const signature =
      key === undefined || scheme === undefined
        ? UNSIGNED
        : sign(key, scheme, digest(scheme.hash, certifyInfo), tpm.random);
    return { response: { certifyInfo, signature } };
  },
);

/**
 * Clock and firmware as a signer states them. Keys of the storage hierarchy show counts and version displaced by a secret that is
 * constant for the key, so that nobody can follow the TPM by them: Part 1, 36.7.
 */
function statedTime(tpm: Machine, { hierarchy, qualifiedName }: Pick<KeyObject, "hierarchy" | "qualifiedName">) {
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

export const attestationCommands = [certify, quote] as const;
