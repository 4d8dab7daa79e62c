import { ContentFormat } from "../../shared/coap/index.ts";
import { Limit, V1 } from "../../shared/protocol/index.ts";
import type { ApiRoute } from "./call.ts";
import { content, noRoom } from "./replies.ts";

/** GET /api/v1/nonce: the session's one nonce, which replaces the former. In strict it ends attestations that wait for evidence: D-45. */
export const nonceRoute: ApiRoute = {
  method: "GET",
  path: V1.NONCE,
  produces: ContentFormat.OctetStream,
  handle(_request, { domain, openSession }) {
    const session = openSession();
    if (session === undefined) return noRoom();
    if (domain.profile.newNonceEndsAttestation) {
      session.attestations.clear();
      session.reportedLog = undefined;
    }
    const nonce = domain.random.bytes(Limit.NONCE_BYTES);
    session.renewNonce(nonce);
    return content(nonce);
  },
};
