import { ContentFormat } from "../../shared/coap/index.ts";
import { ActivationRequest, V1 } from "../../shared/protocol/index.ts";
import { refuse } from "../domain/reasons.ts";
import { type ApiRoute, readBody } from "./call.ts";
import { refuseEnrolment, refuseUnprovisioned } from "./enrolment.ts";
import { createdAt, notFound } from "./replies.ts";

/** POST /api/v1/admin/provision: the opened credential. EK and AIK are used up, whatever comes of it. */
export const activateRoute: ApiRoute = {
  method: "POST",
  path: V1.PROVISION,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: refuseUnprovisioned,
  handle(request, { domain, session }) {
    const { ek: ekId, aik: aikId, secret } = readBody(ActivationRequest, request, "provision");
    const ek = session?.eks.take(ekId);
    const offered = session?.aiks.take(aikId);
    if (session === undefined || ek === undefined || offered === undefined) return notFound("no such EK or AIK");
    const activated =
      offered.ekId === ekId
        ? domain.finishActivation(offered.activation, secret)
        : refuse("credential-not-activated", "the AIK was offered with another EK");
    if (!activated.ok) return refuseEnrolment(domain, activated);
    return createdAt(session.enrolments.add({ aik: offered.aik, metadata: undefined, rim: undefined, log: undefined }));
  },
};
