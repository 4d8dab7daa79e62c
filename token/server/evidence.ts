import { type CoapReply, ContentFormat, type RoutedRequest } from "../../shared/coap/index.ts";
import type { LogSummary } from "../../shared/event-log/index.ts";
import { Evidence, V1 } from "../../shared/protocol/index.ts";
import type { Appraisal } from "../domain/appraisal.ts";
import { mismatchVerdict } from "../domain/attestation.ts";
import type { Domain } from "../domain/domain.ts";
import type { NotTrusted } from "../domain/events.ts";
import type { Platform } from "../domain/platforms.ts";
import { appraisalRefusals, refuse } from "../domain/reasons.ts";
import { type ApiRoute, type Call, MalformedRequest, readBody } from "./call.ts";
import { idOf } from "./objects.ts";
import { changed, forbidden, notFound } from "./replies.ts";
import type { OpenAttestation, Session } from "./session.ts";

export interface OpenContext {
  readonly id: number;
  readonly session: Session;
  readonly open: OpenAttestation;
  readonly platform: Platform;
}

/** The context that the path names; its platform may have been removed meanwhile. */
export function contextOf({ params }: RoutedRequest, { session, domain }: Call): OpenContext | undefined {
  const id = idOf(params["id"]);
  const open = id === undefined ? undefined : session?.attestations.get(id);
  if (session === undefined || id === undefined || open === undefined) return undefined;
  const platform = domain.platforms.find(open.platformId);
  return platform === undefined ? undefined : { id, session, open, platform };
}

/** What the peer says was measured: evidence uses it up, whatever becomes of both. */
function takeLog({ id, session }: OpenContext): LogSummary | undefined {
  const { reportedLog } = session;
  if (reportedLog?.contextId !== id) return undefined;
  session.reportedLog = undefined;
  return reportedLog.log;
}

/** Evidence that breaks the rules of the protocol: a red of its own in compat, in strict an error of the sender's program. D-50. */
function appraise(request: RoutedRequest, domain: Domain, context: OpenContext): Appraisal {
  const { platform, open } = context;
  const log = takeLog(context);
  try {
    return domain.appraise(readBody(Evidence, request, "evidence"), platform, open.nonce, log);
  } catch (error) {
    const isMalformed = error instanceof MalformedRequest;
    if (isMalformed && domain.profile.malformedEvidence !== "bad-request")
      return refuse("evidence-malformed", error.message);
    if (!isMalformed && domain.profile.failureRevokes) context.session.attest(undefined); // a bug is no green
    throw error;
  }
}

/** Red: the session's earlier success is void in strict (D-58), and the peer may ask for the reason and say what its PCRs hold. */
function judgeBad(appraisal: Appraisal & { readonly ok: false }, domain: Domain, context: OpenContext): CoapReply {
  const { unexpected, reason, detail } = appraisal;
  const { id, session, platform } = context;
  const { summary } = platform;
  session.explainable = { contextId: id, platformId: summary.id, reason, unexpected };
  const verdict: NotTrusted =
    unexpected === undefined
      ? { trusted: false, reason, detail, platform: summary }
      : mismatchVerdict(platform, unexpected.mismatch);
  try {
    domain.tell({ type: "attestation-failed", verdict });
  } finally {
    if (domain.profile.failureRevokes) session.attest(undefined); // whatever becomes of those who are told
  }
  const sentence = appraisalRefusals[reason];
  return forbidden(unexpected === undefined || detail === undefined ? sentence : `${sentence}: ${detail}`);
}

function judgeGood({ start }: Appraisal, domain: Domain, { id, session, platform }: OpenContext): CoapReply {
  session.attestations.remove(id);
  session.explainable = undefined;
  domain.tell({ type: "attested", verdict: { trusted: true, platform: platform.summary } });
  session.attest(platform.summary, start);
  return changed();
}

/** POST /api/v1/attest/{id}: appraises evidence (RFC 9334, section 8). Success unlocks the platform's files in this session. */
export const evidenceRoute: ApiRoute = {
  method: "POST",
  path: `${V1.ATTEST}/:id`,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: (request, call) => (contextOf(request, call) === undefined ? notFound("no such attestation") : undefined),
  handle(request, call) {
    const { domain, sessions } = call;
    const context = contextOf(request, call);
    if (context === undefined) return notFound("no such attestation");
    const { id, session, platform } = context;
    if (domain.profile.failedAttestation === "consumes") session.attestations.remove(id); // D-57: a context answers once
    const appraisal = appraise(request, domain, context);
    try {
      return appraisal.ok ? judgeGood(appraisal, domain, context) : judgeBad(appraisal, domain, context);
    } finally {
      const { start } = appraisal;
      if (start !== undefined && domain.profile.failureRevokes) {
        sessions.revokeFormer(platform.summary.id, start, session); // whatever the verdict
      }
    }
  },
};
