import { ContentFormat } from "../../shared/coap/index.ts";
import { decodeLogMessage, V1 } from "../../shared/protocol/index.ts";
import { type ApiRoute, readRequest } from "./call.ts";
import { contextOf } from "./evidence.ts";
import { changed, created, notFound } from "./replies.ts";

/**
 * POST /api/v1/attest/{id}/log, extension 4: before the evidence, what was measured. It needs no signature: it counts only where it replays to what
 * the TPM quotes, and only to explain a red.
 */
export const attestationLogRoute: ApiRoute = {
  method: "POST",
  path: `${V1.ATTEST}/:id/log`,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: (request, call) => (contextOf(request, call) === undefined ? notFound("no such attestation") : undefined),
  handle(request, call) {
    const context = contextOf(request, call);
    if (context === undefined) return notFound("no such attestation");
    const { id, session } = context;
    const log = readRequest(() => decodeLogMessage(request.payload));
    const replaces = session.reportedLog?.contextId === id;
    session.reportedLog = { contextId: id, log };
    return replaces ? changed() : created();
  },
};
