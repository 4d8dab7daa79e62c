import { encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapEndpoint, ContentFormat } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { CertChain, Challenge, SignedObject } from "../../shared/protocol/index.ts";
import type { TpmtPublic } from "../../shared/tpm/index.ts";
import type { Aik } from "../domain/aik.ts";
import type { Domain } from "../domain/domain.ts";
import type { PlatformSummary } from "../domain/events.ts";
import type { EnrolmentRefusal, Refused } from "../domain/reasons.ts";
import { Conversation } from "./conversation.ts";

const REASONS = { silent: "attester-silent", refused: "attester-refused", malformed: "answer-malformed" } as const;

type Step = Refused<EnrolmentRefusal> | undefined;

/** Platform provisioning of API v0, requests 1 to 5: /ek, /aik, /challenge, /metadata, /rim. */
export function provisionPlatform(
  endpoint: CoapEndpoint,
  attester: Peer,
  domain: Domain,
  done: { refused(refusal: Refused<EnrolmentRefusal>): void; provisioned(platform: PlatformSummary): void },
): Conversation<EnrolmentRefusal> {
  const talk = new Conversation<EnrolmentRefusal>(endpoint, attester, REASONS, (refusal) => done.refused(refusal));

  const askAik = (ek: TpmtPublic): Step =>
    talk.ask({ method: "FETCH", path: "/aik" }, (body) => {
      const aik = domain.judgeAik(body);
      return aik.ok ? challenge(ek, aik.value) : aik;
    });

  const challenge = (ek: TpmtPublic, aik: Aik): Step => {
    const activation = domain.startActivation(ek, aik);
    if (!activation.ok) return activation;
    const payload = encodeCbor(Challenge, activation.value.credential);
    const question = { method: "POST", path: "/challenge", payload, contentFormat: ContentFormat.Cbor } as const;
    return talk.ask(question, (secret) => {
      const activated = domain.finishActivation(activation.value, secret);
      return activated.ok ? askMetadata(aik) : activated;
    });
  };

  const askMetadata = (aik: Aik): Step =>
    talk.askFor({ method: "FETCH", path: "/metadata" }, SignedObject, (object) => {
      const metadata = domain.checkMetadata(object, aik);
      return metadata.ok ? askRim(aik, metadata.value) : metadata;
    });

  const askRim = (aik: Aik, metadata: Uint8Array): Step =>
    talk.askFor({ method: "FETCH", path: "/rim" }, SignedObject, (object) => {
      const rim = domain.checkReferenceValues(object, aik);
      if (!rim.ok) return rim;
      const platform = domain.enrol({ aik, metadata, rim: rim.value });
      if (!platform.ok) return platform;
      done.provisioned(platform.value);
      return undefined;
    });

  talk.askFor({ method: "FETCH", path: "/ek" }, CertChain, ({ certs }) => {
    const ek = domain.judgeEndorsement(certs);
    return ek.ok ? askAik(ek.value) : ek;
  });
  return talk;
}
