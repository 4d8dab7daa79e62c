import { encodeCbor } from "../../shared/cbor/index.ts";
import {
  type CoapEndpoint,
  type CoapHandler,
  type CoapReply,
  Code,
  ContentFormat,
  createEndpoint,
  createRouter,
  diagnostic,
  type EndpointOptions,
  type Route,
} from "../../shared/coap/index.ts";
import { CertChain } from "../../shared/protocol/index.ts";
import type { Owner } from "./owner.ts";
import type { RefusedRequest } from "./request.ts";

/** FETCH /cert_chain: the owner's chain, root first. */
const certChain: Route<Owner> = {
  method: "FETCH",
  path: "/cert_chain",
  produces: ContentFormat.Cbor,
  handle: (_request, { chain }) => ({
    code: Code.Content,
    contentFormat: ContentFormat.Cbor,
    payload: encodeCbor(CertChain, { certs: chain.map(({ der }) => der) }),
  }),
};

function refused({ reason, detail }: RefusedRequest): CoapReply {
  if (reason === "malformed") return diagnostic(Code.BadRequest, detail);
  if (reason === "undecided") return diagnostic(Code.ServiceUnavailable, detail);
  return diagnostic(Code.Forbidden, `${reason}: ${detail}`);
}

/** POST /csr: a certification request in DER, for the certificate. */
const csr: Route<Owner> = {
  method: "POST",
  path: "/csr",
  accepts: ContentFormat.OctetStream,
  produces: ContentFormat.OctetStream,
  handle({ payload }, owner) {
    const outcome = owner.issue(payload);
    if (!outcome.ok) return refused(outcome);
    return { code: Code.Created, contentFormat: ContentFormat.OctetStream, payload: outcome.certificate.der };
  },
};

/** Token provisioning of API v0, the owner's side. */
export function createOwnerV0(owner: Owner): CoapHandler {
  return createRouter([certChain, csr], { context: () => owner });
}

/** Serves on a port until the endpoint is closed; who opened the port closes it. */
export function serveOwnerV0(owner: Owner, options: EndpointOptions): CoapEndpoint {
  const endpoint = createEndpoint(options);
  endpoint.serve(createOwnerV0(owner));
  return endpoint;
}
