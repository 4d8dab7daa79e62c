import { type CoapReply, ContentFormat, type RoutedRequest } from "../../shared/coap/index.ts";
import { SignedObject, V1 } from "../../shared/protocol/index.ts";
import type { Domain } from "../domain/domain.ts";
import type { EnrolmentRefusal, Outcome } from "../domain/reasons.ts";
import { type ApiRoute, type Call, readBody } from "./call.ts";
import { refuseEnrolment } from "./enrolment.ts";
import { idOf } from "./objects.ts";
import { changed, created, noNonce, notFound } from "./replies.ts";
import type { OpenEnrolment } from "./session.ts";

export function enrolmentOf({ params }: RoutedRequest, { session }: Call): OpenEnrolment | undefined {
  const id = idOf(params["id"]);
  return id === undefined ? undefined : session?.enrolments.get(id);
}

export function refuseUnknownEnrolment(request: RoutedRequest, call: Call): CoapReply | undefined {
  return enrolmentOf(request, call) === undefined ? notFound("no such platform provisioning") : undefined;
}

/** What a platform says about itself while it is provisioned: an object signed by its AIK over data and nonce. 2.04 replaces what was there. */
function objectRoute(
  field: "metadata" | "rim",
  path: string,
  check: (
    domain: Domain,
    object: SignedObject,
    enrolment: OpenEnrolment,
    nonce: Uint8Array,
  ) => Outcome<Uint8Array, EnrolmentRefusal>,
): ApiRoute {
  return {
    method: "POST",
    path: `${V1.PROVISION}/:id/${path}`,
    accepts: ContentFormat.Cbor,
    produces: ContentFormat.OctetStream,
    guard: refuseUnknownEnrolment,
    handle(request, call) {
      const { domain } = call;
      const enrolment = enrolmentOf(request, call);
      if (enrolment === undefined) return notFound("no such platform provisioning");
      const object = readBody(SignedObject, request, path);
      const nonce = call.takeNonce();
      if (nonce === undefined) return noNonce();
      const checked = check(domain, object, enrolment, nonce);
      if (!checked.ok) return refuseEnrolment(domain, checked);
      const replaces = enrolment[field] !== undefined;
      enrolment[field] = checked.value;
      if (field === "rim") enrolment.log = undefined; // it was checked against the former values
      return replaces ? changed() : created();
    },
  };
}

/** POST .../provision/{id}/meta: who the platform is. */
export const metaRoute = objectRoute("metadata", "meta", (domain, object, { aik }, nonce) =>
  domain.checkMetadata(object, aik, nonce),
);

/** POST .../provision/{id}/rim: what its PCRs hold. */
export const rimRoute = objectRoute("rim", "rim", (domain, object, { aik }, nonce) =>
  domain.checkReferenceValues(object, aik, nonce),
);
