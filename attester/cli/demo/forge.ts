import { encode } from "../../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { type CoapHandler, Code, ContentFormat } from "../../../shared/coap/index.ts";
import { DEFAULT_POLICY, Evidence, QuoteRequest } from "../../../shared/protocol/index.ts";
import { type PcrBank, pcrDigest, TpmAlg, TpmError, TpmSt, TpmsAttest } from "../../../shared/tpm/index.ts";
import type { TpmClient, TpmKey } from "../../tpm/index.ts";

const SELECTION = DEFAULT_POLICY.map(({ algorithm, mask }) => ({ hash: algorithm, pcrSelect: mask }));

/** A TPMS_ATTEST made by hand, with the PCR values that the liar would like to have. */
function forgedQuote(nonce: Uint8Array, wished: readonly PcrBank[]): Uint8Array {
  const digest = pcrDigest(TpmAlg.SHA256, SELECTION, wished);
  if (digest === undefined) throw new RangeError("the wished values do not cover the policy");
  return encode(TpmsAttest, {
    type: TpmSt.ATTEST_QUOTE,
    qualifiedSigner: new Uint8Array(),
    extraData: nonce,
    clockInfo: { clock: 1n, resetCount: 1, restartCount: 0, safe: 1 },
    firmwareVersion: 0n,
    attested: { pcrSelect: SELECTION, pcrDigest: digest },
  });
}

/** Signs the forgery with the TPM itself; undefined when the TPM refuses, with its response code. */
async function signForgery(tpm: TpmClient, aik: TpmKey, data: Uint8Array): Promise<Uint8Array | TpmError> {
  try {
    const signature = await tpm.sign(aik, data);
    return "sig" in signature ? signature.sig : new Uint8Array();
  } catch (error) {
    if (error instanceof TpmError) return error;
    throw error;
  }
}

/** An attester whose root user answers /quote by hand; everything else it leaves to the honest server. */
export function forgingAttester(
  tpm: TpmClient,
  aik: TpmKey,
  wished: readonly PcrBank[],
): (honest: CoapHandler) => CoapHandler {
  return (honest) => async (request) => {
    if (request.path.join("/") !== "quote") return honest(request);
    const { nonce } = decodeCbor(QuoteRequest, request.payload);
    const data = forgedQuote(nonce, wished);
    const signature = await signForgery(tpm, aik, data);
    if (signature instanceof TpmError) return { code: Code.InternalServerError };
    const payload = encodeCbor(Evidence, { data, signature });
    return { code: Code.Created, contentFormat: ContentFormat.OctetStream, payload };
  };
}

/** What the TPM says when the same is tried with a restricted key: its response code; undefined when it signs. */
export async function tryForgery(tpm: TpmClient, aik: TpmKey, wished: readonly PcrBank[]): Promise<number | undefined> {
  const signature = await signForgery(tpm, aik, forgedQuote(new Uint8Array(32), wished));
  return signature instanceof TpmError ? signature.rc : undefined;
}

/** The values that the policy looks at, as the TPM holds them now. */
export function readPolicyPcrs(tpm: TpmClient): Promise<readonly PcrBank[]> {
  return tpm.readPcrs(SELECTION);
}
