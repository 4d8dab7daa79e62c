import { type CoapReply, ContentFormat } from "../../shared/coap/index.ts";
import { Limit, SignedObject, V1 } from "../../shared/protocol/index.ts";
import { isFreshlySigned, quoteRequest } from "../domain/attestation.ts";
import type { Domain } from "../domain/domain.ts";
import type { PlatformSummary } from "../domain/events.ts";
import { platformId } from "../domain/platforms.ts";
import { type AppraisalRefusal, appraisalRefusals } from "../domain/reasons.ts";
import { type ApiRoute, readBody } from "./call.ts";
import { refuseUnprovisioned } from "./enrolment.ts";
import { badRequest, createdAt, noNonce, notFound } from "./replies.ts";

/** In strict a stranger does not learn which platforms are known: D-49. */
const UNKNOWN = "this platform is not enrolled, or another key signed for it";

/** Refused before there is evidence: the log learns it, no lamp does. */
function refuseAttestation(domain: Domain, reason: AppraisalRefusal, platform?: PlatformSummary): CoapReply {
  domain.tell({ type: "attestation-refused", reason, platform });
  if (domain.profile.attestSignature === "not-found") return notFound(UNKNOWN);
  const text = appraisalRefusals[reason];
  return reason === "metadata-signature" ? badRequest(text) : notFound(text);
}

/**
 * POST /api/v1/attest: metadata freshly signed by the AIK of an enrolled platform opens a context for its evidence. The nonce is asked for and
 * used up before the platform is looked for: otherwise its absence, or a second try, would tell a stranger which platforms are known.
 */
export const attestRoute: ApiRoute = {
  method: "POST",
  path: V1.ATTEST,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.Cbor,
  acceptInCompat: true,
  formatInCompat: true,
  guard: refuseUnprovisioned,
  handle(request, call) {
    const { domain, session } = call;
    if (domain.profile.nonceConsumed === "early" && call.takeNonce() === undefined) return noNonce(); // D-56
    const object = readBody(SignedObject, request, "attest");
    const asked = call.takeNonce();
    if (session === undefined || asked === undefined) return noNonce();
    const platform = domain.platforms.find(platformId(object.data));
    if (platform === undefined) return refuseAttestation(domain, "unknown-platform");
    if (!isFreshlySigned(platform, object, asked)) {
      return refuseAttestation(domain, "metadata-signature", platform.summary);
    }
    session.receives = true;
    const nonce = domain.random.bytes(Limit.NONCE_BYTES);
    const id = session.attestations.add({ platformId: platform.summary.id, nonce });
    return createdAt(id, quoteRequest(domain.policy, nonce));
  },
};
