import { CodecError, decode } from "../../shared/bytes/index.ts";
import {
  commands,
  type TpmlPcrSelection,
  TpmSt,
  TpmsAttest,
  type TpmsAttestQuote,
  type TpmtSignature,
} from "../../shared/tpm/index.ts";
import { signingScheme, type TpmKey } from "./objects.ts";
import type { TpmRunner } from "./runner.ts";

export interface Quote {
  /** TPMS_ATTEST as the TPM signed it: these bytes go on the wire. */
  readonly quoted: Uint8Array;
  /** The same, decoded. */
  readonly attest: TpmsAttestQuote;
  readonly signature: TpmtSignature;
}

/** Qualifying data that fits every TPM: it takes 66 bytes at most with SHA-512, less without. */
export const MAX_QUALIFYING_BYTES = 64;

/** TPM2_Quote, Part 3, 18.4. RangeError over 64 bytes of qualifying data; TpmError TPM_RC_HASH for a bank that the TPM does not know. */
export async function quote(
  tpm: TpmRunner,
  key: TpmKey,
  qualifyingData: Uint8Array,
  selection: TpmlPcrSelection,
): Promise<Quote> {
  if (qualifyingData.byteLength > MAX_QUALIFYING_BYTES) {
    throw new RangeError(`${qualifyingData.byteLength} bytes of qualifying data, ${MAX_QUALIFYING_BYTES} fit`);
  }
  const { response } = await tpm.run(commands.Quote, {
    handles: [key.handle],
    parameters: { qualifyingData, inScheme: signingScheme(key), PCRselect: selection },
  });
  const attest = decode(TpmsAttest, response.quoted, "TPM2_Quote response");
  if (attest.type !== TpmSt.ATTEST_QUOTE) throw new CodecError("no quote", "TPM2_Quote response.type", 4);
  return { quoted: response.quoted, attest, signature: response.signature };
}
