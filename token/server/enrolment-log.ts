import { ContentFormat } from "../../shared/coap/index.ts";
import { SignedLog, V1 } from "../../shared/protocol/index.ts";
import { logRefusals } from "../domain/reasons.ts";
import { type ApiRoute, readBody } from "./call.ts";
import { enrolmentOf, refuseUnknownEnrolment } from "./enrolment-object.ts";
import { badRequest, changed, created, forbidden, noNonce, notFound } from "./replies.ts";

/**
 * POST .../provision/{id}/log, extension 4: what was measured, in words. It must replay to the reference values. A log that is refused stops nothing:
 * the platform may be enrolled without one.
 */
export const enrolmentLogRoute: ApiRoute = {
  method: "POST",
  path: `${V1.PROVISION}/:id/log`,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: refuseUnknownEnrolment,
  handle(request, call) {
    const { domain } = call;
    const enrolment = enrolmentOf(request, call);
    if (enrolment === undefined) return notFound("no such platform provisioning");
    const object = readBody(SignedLog, request, "log");
    const { aik, rim } = enrolment;
    if (rim === undefined) return forbidden("RIM is missing: the log is checked against it");
    const nonce = call.takeNonce();
    if (nonce === undefined) return noNonce();
    const checked = domain.checkLog(object, { aik, rim, nonce });
    if (!checked.ok) {
      const { reason, detail } = checked;
      domain.tell({ type: "log-refused", reason, detail });
      const text = detail === undefined ? logRefusals[reason] : `${logRefusals[reason]}: ${detail}`;
      return reason === "log-malformed" ? badRequest(text) : forbidden(text);
    }
    const replaces = enrolment.log !== undefined;
    enrolment.log = checked.value;
    return replaces ? changed() : created();
  },
};
