import { toHex } from "../../shared/bytes/index.ts";
import { Code, ContentFormat } from "../../shared/coap/index.ts";
import { authorizationFor, Limit, type RequestTerms, V1 } from "../../shared/protocol/index.ts";
import { expectCode, type Reasons, refusing } from "./outcome.ts";
import { signObject } from "./signed.ts";
import { TokenAnswerError } from "./token-wire.ts";
import type { Signer, V1Context } from "./v1-context.ts";

const REASONS: Reasons = { [Code.NotFound]: "not-attested", [Code.Forbidden]: "grant-refused" };

/**
 * Extension 1 of API v1: asks, with the AIK's signature, for a grant of exactly one request. As it is sent in Uri-Query: 32 hexadecimal
 * digits. FlowEnd when it is refused.
 */
export async function requestGrant(
  { wire, tpm, log }: V1Context,
  { aik }: Signer,
  terms: RequestTerms,
): Promise<string> {
  const what = "a grant";
  log.write("debug", `Asking for a grant: ${terms.method} ${terms.path}`);
  const nonce = await wire.nonce();
  const payload = await signObject(tpm, aik, authorizationFor(terms, nonce), nonce);
  const request = { method: "POST", path: V1.GRANT, contentFormat: ContentFormat.Cbor, payload } as const;
  const answer = expectCode(what, await refusing(REASONS, () => wire.ask(what, request)), Code.Created);
  if (answer.payload.byteLength !== Limit.GRANT_BYTES) {
    throw new TokenAnswerError(`the token's grant has ${answer.payload.byteLength} bytes, not ${Limit.GRANT_BYTES}`);
  }
  return toHex(answer.payload);
}
