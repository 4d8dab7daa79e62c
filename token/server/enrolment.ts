import type { CoapReply } from "../../shared/coap/index.ts";
import type { Domain } from "../domain/domain.ts";
import { type EnrolmentRefusal, enrolmentRefusals, type Refused } from "../domain/reasons.ts";
import type { Call } from "./call.ts";
import { badRequest, failed, forbidden, notFound } from "./replies.ts";

/** What the steps of platform provisioning have in common. */

/** A token without an owner enrols nobody. */
export function refuseUnprovisioned(_request: unknown, { domain }: Call): CoapReply | undefined {
  return domain.provisioned ? undefined : notFound("the token is not provisioned");
}

/** Tells why no platform is enrolled, to the log and to the peer. */
export function refuseEnrolment(domain: Domain, { reason, detail }: Refused<EnrolmentRefusal>): CoapReply {
  domain.tell({ type: "platform-refused", reason, detail });
  const text = detail === undefined ? enrolmentRefusals[reason] : `${enrolmentRefusals[reason]}: ${detail}`;
  switch (reason) {
    case "storage-full":
      return failed(text);
    case "metadata-malformed":
    case "rim-malformed":
      return badRequest(text);
    case "metadata-signature":
    case "rim-signature":
      return domain.profile.enrolmentSignature === "forbidden" ? forbidden(text) : badRequest(text); // D-48
    default:
      return forbidden(text);
  }
}
