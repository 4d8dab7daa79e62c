import { encodeCbor } from "../../shared/cbor/index.ts";
import { ContentFormat } from "../../shared/coap/index.ts";
import { AikRequest, Challenge, V1 } from "../../shared/protocol/index.ts";
import { type ApiRoute, readBody } from "./call.ts";
import { refuseEnrolment, refuseUnprovisioned } from "./enrolment.ts";
import { createdAt, notFound } from "./replies.ts";

/** POST /api/v1/admin/provision/aik: a credential that only the TPM with both keys can open. */
export const aikRoute: ApiRoute = {
  method: "POST",
  path: V1.AIK,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.Cbor,
  acceptInCompat: true,
  formatInCompat: true,
  guard: refuseUnprovisioned,
  handle(request, { domain, session }) {
    const { aik: publicArea, ek: ekId } = readBody(AikRequest, request, "aik");
    const ek = session?.eks.get(ekId);
    if (session === undefined || ek === undefined) return notFound("no such EK");
    const aik = domain.judgeAik(publicArea);
    if (!aik.ok) return refuseEnrolment(domain, aik);
    const activation = domain.startActivation(ek, aik.value);
    if (!activation.ok) return refuseEnrolment(domain, activation);
    const id = session.aiks.add({ ekId, aik: aik.value, activation: activation.value });
    return createdAt(id, encodeCbor(Challenge, activation.value.credential));
  },
};
