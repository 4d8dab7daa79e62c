import { ContentFormat } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import type { ApiRoute } from "./call.ts";
import { refuseEnrolment } from "./enrolment.ts";
import { enrolmentOf, refuseUnknownEnrolment } from "./enrolment-object.ts";
import { idOf } from "./objects.ts";
import { badRequest, changed, forbidden, notFound } from "./replies.ts";

/** POST .../provision/{id}: enrols the platform in one commit. D-54, D-55. */
export const finishRoute: ApiRoute = {
  method: "POST",
  path: `${V1.PROVISION}/:id`,
  produces: ContentFormat.OctetStream,
  guard: refuseUnknownEnrolment,
  handle(request, call) {
    const { domain, session } = call;
    const id = idOf(request.params["id"]);
    const enrolment = enrolmentOf(request, call);
    if (session === undefined || id === undefined || enrolment === undefined) return notFound("no such provisioning");
    if (domain.profile.finishConsumes === "always") session.enrolments.remove(id);
    if (domain.profile.finishBody === "refused" && request.payload.byteLength > 0) {
      return badRequest("finishing has no body");
    }
    const { aik, metadata, rim, log } = enrolment;
    if (metadata === undefined || rim === undefined) {
      return forbidden(`${metadata === undefined ? "metadata" : "RIM"} is missing`);
    }
    const platform = domain.enrol({ aik, metadata, rim, log });
    if (!platform.ok) return refuseEnrolment(domain, platform);
    session.enrolments.remove(id);
    domain.tell({ type: "platform-provisioned", platform: platform.value });
    return changed();
  },
};
