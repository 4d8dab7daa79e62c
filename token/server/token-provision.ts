import { type CoapReply, ContentFormat } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import type { Domain } from "../domain/domain.ts";
import type { Refused, TokenRefusal } from "../domain/reasons.ts";
import { tokenRefusals } from "../domain/reasons.ts";
import { type ApiRoute, type Call, readBody } from "./call.ts";
import { SentChain } from "./chain.ts";
import { created, failed, forbidden, noRoom, notFound } from "./replies.ts";

/** D-44. */
export function refuseProvisioned(_request: unknown, { domain }: Call): CoapReply | undefined {
  if (!domain.provisioned) return undefined;
  const text = "the token is provisioned already";
  return domain.profile.alreadyProvisioned === "forbidden" ? forbidden(text) : notFound(text);
}

/** Tells why the token stays unprovisioned, to the lamps and to the owner. */
export function refuseOwner(domain: Domain, { reason, detail }: Refused<TokenRefusal>): CoapReply {
  domain.tell({ type: "token-refused", reason, detail });
  const text = detail === undefined ? tokenRefusals[reason] : `${tokenRefusals[reason]}: ${detail}`;
  return reason === "storage-full" ? failed(text) : forbidden(text);
}

/** POST /api/v1/admin/token_provision: the owner shows its chain and gets the token's certification request. */
export const tokenProvisionRoute: ApiRoute = {
  method: "POST",
  path: V1.TOKEN_PROVISION,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  acceptInCompat: true,
  guard: refuseProvisioned,
  handle(request, { domain, openSession }) {
    readBody(SentChain, request, "cert_chain");
    const chain = domain.judgeOwner(request.payload);
    if (!chain.ok) return refuseOwner(domain, chain);
    const session = openSession();
    if (session === undefined) return noRoom();
    const csr = domain.requestCertificate();
    if (!csr.ok) return refuseOwner(domain, csr);
    session.ownerChain = chain.value;
    return created(csr.value);
  },
};
