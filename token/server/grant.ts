import { CodecError, constantTimeEqual } from "../../shared/bytes/index.ts";
import { type CoapReply, ContentFormat } from "../../shared/coap/index.ts";
import { type RequestAuthorization, readAuthorization, SignedObject, V1 } from "../../shared/protocol/index.ts";
import { isFreshlySigned } from "../domain/attestation.ts";
import { type ApiRoute, type Call, readBody } from "./call.ts";
import { created, forbidden, noNonce, notFound } from "./replies.ts";

const METHODS: readonly string[] = ["GET", "PUT", "DELETE"];

/** Files belong to a platform: without an attested one there are none. */
export function refuseNotAttested(_request: unknown, { session }: Call): CoapReply | undefined {
  return session?.attested === undefined ? notFound("not attested") : undefined;
}

/** The terms, when they are of this session and for a file; else what is wrong with them. */
function termsIn(data: Uint8Array, nonce: Uint8Array): RequestAuthorization | string {
  const terms = readAuthorization(data);
  if (terms instanceof CodecError) return terms.message;
  if (!constantTimeEqual(terms.nonce, nonce)) return "for another nonce";
  const { method, path } = terms;
  if (!METHODS.includes(method) || !path.startsWith(`${V1.STORAGE}/`)) return `no grants for ${method} ${path}`;
  return terms;
}

/** POST /api/v1/storage/grant, extension 1: the AIK of the attested platform allows one request on one file. */
export const grantRoute: ApiRoute = {
  method: "POST",
  path: V1.GRANT,
  accepts: ContentFormat.Cbor,
  produces: ContentFormat.OctetStream,
  guard: refuseNotAttested,
  handle(request, call) {
    const { domain, session } = call;
    const platform = session?.attested === undefined ? undefined : domain.platforms.find(session.attested.id);
    if (session === undefined || platform === undefined) return notFound("not attested");
    const object = readBody(SignedObject, request, "grant");
    const nonce = call.takeNonce();
    if (nonce === undefined) return noNonce();
    if (!isFreshlySigned(platform, object, nonce)) {
      return forbidden("not freshly signed by the AIK of the attested platform");
    }
    const terms = termsIn(object.data, nonce);
    return typeof terms === "string" ? forbidden(terms) : created(session.grants.issue(terms));
  },
};
