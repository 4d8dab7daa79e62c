import { encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapReply, ContentFormat } from "../../shared/coap/index.ts";
import {
  Limit,
  QuoteRequestIndefinite,
  SignedObject,
  signedBytes,
  V1,
  verifySignature,
} from "../../shared/protocol/index.ts";
import type { Domain } from "../domain/domain.ts";
import type { PlatformSummary } from "../domain/events.ts";
import { type Platform, platformId } from "../domain/platforms.ts";
import { type AppraisalRefusal, appraisalRefusals } from "../domain/reasons.ts";
import { type ApiRoute, readBody } from "./call.ts";
import { badRequest, createdAt, noNonce, notFound } from "./replies.ts";

/** Refused before there is evidence: the log learns it, no lamp does. */
function refuseAttestation(domain: Domain, reason: AppraisalRefusal, platform?: PlatformSummary): CoapReply {
  domain.tell({ type: "attestation-refused", reason, platform });
  const text = appraisalRefusals[reason];
  const malformed = reason === "metadata-signature" && domain.profile.attestSignature === "bad-request"; // D-49
  return malformed ? badRequest(text) : notFound(text);
}

/** What the quote has to cover, and the nonce that makes it fresh; written as the reference token does. */
function quoteRequest({ policy }: Domain, nonce: Uint8Array): Uint8Array {
  const banks = policy.map(({ algorithm, mask }) => ({ algo_id: algorithm, pcrs: mask }));
  return encodeCbor(QuoteRequestIndefinite, { nonce, banks });
}

/** POST /api/v1/attest: metadata freshly signed by the AIK of an enrolled platform opens a context for its evidence. */
export const attestRoute: ApiRoute = {
  method: "POST",
  path: V1.ATTEST,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.Cbor,
  acceptInCompat: true,
  formatInCompat: true,
  handle(request, call) {
    const { domain, session } = call;
    if (domain.profile.nonceConsumed === "early") call.takeNonce(); // D-56
    const { data, signature } = readBody(SignedObject, request, "attest");
    const platform: Platform | undefined = domain.platforms.find(platformId(data));
    if (platform === undefined) return refuseAttestation(domain, "unknown-platform");
    const signed = call.takeNonce();
    if (session === undefined || signed === undefined) return noNonce();
    if (!verifySignature(platform.key, signedBytes(data, signed), signature)) {
      return refuseAttestation(domain, "metadata-signature", platform.summary);
    }
    const nonce = domain.random.bytes(Limit.NONCE_BYTES);
    const id = session.attestations.add({ platformId: platform.summary.id, nonce });
    return createdAt(id, quoteRequest(domain, nonce));
  },
};
