import type { CoapEndpoint } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import type { Domain } from "../domain/domain.ts";
import type { Refused, TokenRefusal } from "../domain/reasons.ts";
import { Conversation } from "./conversation.ts";

const REASONS = { silent: "owner-silent", refused: "owner-refused", malformed: "owner-answer-malformed" } as const;

/** Token provisioning of API v0: the owner's program is the server. */
export function provisionToken(
  endpoint: CoapEndpoint,
  owner: Peer,
  domain: Domain,
  done: { refused(refusal: Refused<TokenRefusal>): void; provisioned(deviceId: string): void },
): Conversation<TokenRefusal> {
  const talk = new Conversation<TokenRefusal>(endpoint, owner, REASONS, (refusal) => done.refused(refusal));
  talk.ask({ method: "FETCH", path: "/cert_chain" }, (body) => {
    const chain = domain.judgeOwner(body);
    if (!chain.ok) return chain;
    const csr = domain.requestCertificate();
    if (!csr.ok) return csr;
    return talk.ask({ method: "POST", path: "/csr", payload: csr.value }, (certificate) => {
      const accepted = domain.acceptCertificate(certificate, chain.value);
      if (!accepted.ok) return accepted;
      done.provisioned(accepted.value);
      return undefined;
    });
  });
  return talk;
}
