import { ContentFormat } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import { refuse } from "../domain/reasons.ts";
import { type ApiRoute, readBody } from "./call.ts";
import { SentChain } from "./chain.ts";
import { refuseEnrolment, refuseUnprovisioned } from "./enrolment.ts";
import { createdAt, noRoom } from "./replies.ts";

/** POST /api/v1/admin/provision/ek: the EK certificate, last, with those that lead to its vendor's root. */
export const ekRoute: ApiRoute = {
  method: "POST",
  path: V1.EK,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: refuseUnprovisioned,
  handle(request, { domain, openSession }) {
    const { certs } = readBody(SentChain, request, "ek");
    const max = domain.profile.ekCertificates; // D-43
    const ek =
      certs.length > max
        ? refuse("ek-chain", `${certs.length} certificates, ${max} at most`)
        : domain.judgeEndorsement(certs);
    if (!ek.ok) return refuseEnrolment(domain, ek);
    const session = openSession();
    return session === undefined ? noRoom() : createdAt(session.eks.add(ek.value));
  },
};
