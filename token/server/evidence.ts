import { type CoapReply, ContentFormat, type RoutedRequest } from "../../shared/coap/index.ts";
import { Evidence, V1 } from "../../shared/protocol/index.ts";
import type { Appraisal } from "../domain/appraisal.ts";
import type { Domain } from "../domain/domain.ts";
import type { Platform } from "../domain/platforms.ts";
import { appraisalRefusals, refuse } from "../domain/reasons.ts";
import { type ApiRoute, type Call, MalformedRequest, readBody } from "./call.ts";
import { idOf } from "./objects.ts";
import { changed, forbidden, notFound } from "./replies.ts";
import type { OpenAttestation, Session } from "./session.ts";

interface OpenContext {
  readonly id: number;
  readonly session: Session;
  readonly open: OpenAttestation;
  readonly platform: Platform;
}

/** The context that the path names; its platform may have been removed meanwhile. */
function contextOf({ params }: RoutedRequest, { session, domain }: Call): OpenContext | undefined {
  const id = idOf(params["id"]);
  const open = id === undefined ? undefined : session?.attestations.get(id);
  if (session === undefined || id === undefined || open === undefined) return undefined;
  const platform = domain.platforms.find(open.platformId);
  return platform === undefined ? undefined : { id, session, open, platform };
}

/** Evidence that breaks the rules of the protocol: a red of its own in compat, in strict an error of the sender's program. D-50. */
function appraise(request: RoutedRequest, domain: Domain, { platform, open }: OpenContext): Appraisal {
  try {
    return domain.appraise(readBody(Evidence, request, "evidence"), platform, open.nonce);
  } catch (error) {
    if (!(error instanceof MalformedRequest) || domain.profile.malformedEvidence === "bad-request") throw error;
    return refuse("evidence-malformed", error.message);
  }
}

/** Red: the session's earlier success is void in strict (D-58), and the peer may say which PCRs differ. */
function judgeBad(appraisal: Appraisal & { readonly ok: false }, domain: Domain, context: OpenContext): CoapReply {
  const { reason, detail, quotedDigest } = appraisal;
  const { id, session, open, platform } = context;
  const explainable = quotedDigest === undefined ? undefined : { contextId: id, ...open, quotedDigest };
  session.explainable = explainable;
  domain.tell({ type: "attestation-failed", verdict: { trusted: false, reason, detail, platform: platform.summary } });
  if (domain.profile.failureRevokes) session.attest(undefined);
  return forbidden(appraisalRefusals[reason]);
}

/** POST /api/v1/attest/{id}: appraises evidence (RFC 9334, section 8). Success unlocks the platform's files in this session. */
export const evidenceRoute: ApiRoute = {
  method: "POST",
  path: `${V1.ATTEST}/:id`,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: (request, call) => (contextOf(request, call) === undefined ? notFound("no such attestation") : undefined),
  handle(request, call) {
    const { domain } = call;
    const context = contextOf(request, call);
    if (context === undefined) return notFound("no such attestation");
    const { id, session, platform } = context;
    if (domain.profile.failedAttestation === "consumes") session.attestations.remove(id); // D-57: a context answers once
    const appraisal = appraise(request, domain, context);
    if (!appraisal.ok) return judgeBad(appraisal, domain, context);
    session.attestations.remove(id);
    domain.tell({ type: "attested", verdict: { trusted: true, platform: platform.summary } });
    session.attest(platform.summary);
    return changed();
  },
};
