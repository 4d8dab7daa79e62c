import { encodeCbor } from "../../shared/cbor/index.ts";
import { ContentFormat, type RoutedRequest } from "../../shared/coap/index.ts";
import { decodeRim, differenceMessage, type EvidenceReason, Explanation, V1 } from "../../shared/protocol/index.ts";
import { mismatchVerdict } from "../domain/attestation.ts";
import type { Mismatch } from "../domain/explanation.ts";
import { type ApiRoute, type Call, readRequest } from "./call.ts";
import { idOf } from "./objects.ts";
import { changed, forbidden, notFound } from "./replies.ts";
import type { Explainable } from "./session.ts";

function explainableOf({ params }: RoutedRequest, { session }: Call): Explainable | undefined {
  const explainable = session?.explainable;
  return explainable?.contextId === idOf(params["id"]) ? explainable : undefined;
}

/**
 * POST /api/v1/attest/{id}/explain, extension 2: after a red, once, the peer asks for the reason and says what its PCRs hold. The values need no
 * signature: they count only when they hash to what the TPM quoted, and only where PCRs are the reason. The answer has what logs told besides, extension 4.
 */
export const explainRoute: ApiRoute = {
  method: "POST",
  path: `${V1.ATTEST}/:id/explain`,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.Cbor,
  guard: (request, call) =>
    explainableOf(request, call) === undefined ? notFound("nothing here to explain") : undefined,
  handle(request, call) {
    const { domain, session } = call;
    const explainable = explainableOf(request, call);
    const platform = explainable === undefined ? undefined : domain.platforms.find(explainable.platformId);
    if (session === undefined || explainable === undefined || platform === undefined) {
      return notFound("nothing here to explain");
    }
    const reported = readRequest(() => decodeRim(request.payload));
    session.explainable = undefined;
    const { unexpected, reason } = explainable;
    if (unexpected === undefined) return changed(explanation({ pcrs: [], reason }));
    const shown = domain.explain(unexpected.quotedDigest, reported, platform);
    if (shown?.pcrs === undefined) return forbidden("these values do not hash to the quoted digest");
    const { pcrs } = shown;
    const known = unexpected.mismatch;
    if (known.pcrs !== undefined) return changed(explanation({ ...known, pcrs })); // a log, or the digest alone, has told it
    domain.tell({ type: "attestation-explained", verdict: mismatchVerdict(platform, shown) });
    return changed(explanation({ ...shown, pcrs }));
  },
};

interface Explained extends Pick<Mismatch, "difference"> {
  readonly pcrs: readonly number[];
  readonly reason: EvidenceReason;
}

function explanation({ pcrs, reason, difference }: Explained): Uint8Array {
  const told = difference === undefined ? {} : { difference: differenceMessage(difference) };
  return encodeCbor(Explanation, { pcrs, reason, ...told });
}
