import { ContentFormat } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import type { ApiRoute } from "./call.ts";
import { created, forbidden } from "./replies.ts";
import { refuseOwner, refuseProvisioned } from "./token-provision.ts";

/** POST /api/v1/admin/provision_complete: the certificate that the owner of the session's chain made for this token. */
export const provisionCompleteRoute: ApiRoute = {
  method: "POST",
  path: V1.PROVISION_COMPLETE,
  accepts: ContentFormat.OctetStream,
  produces: ContentFormat.OctetStream,
  guard: refuseProvisioned,
  handle({ payload }, { domain, session }) {
    const chain = session?.ownerChain;
    if (session === undefined || chain === undefined) return forbidden("no owner chain: POST token_provision first");
    const deviceId = domain.acceptCertificate(payload, chain);
    if (!deviceId.ok) return refuseOwner(domain, deviceId);
    session.ownerChain = undefined;
    domain.tell({ type: "token-provisioned", deviceId: deviceId.value });
    return created();
  },
};
