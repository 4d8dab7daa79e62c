import { fromHex, toHex } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapReply, ContentFormat } from "../../shared/coap/index.ts";
import {
  AuthorizedRequest,
  authorizedProblem,
  PlatformList,
  PlatformRemove,
  PlatformRename,
  V1,
} from "../../shared/protocol/index.ts";
import { type ApiRoute, type Call, MalformedRequest, readBody, readRequest } from "./call.ts";
import { refuseUnprovisioned } from "./enrolment.ts";
import { changed, deleted, failed, forbidden, noNonce, notFound, revocable } from "./replies.ts";

/** Extension 3: what only the key that issued this token's certificate may ask. */
function ownerRoute<T>(
  method: "FETCH" | "POST",
  path: string,
  read: (body: Uint8Array) => T,
  done: (asked: T, call: Call) => CoapReply,
): ApiRoute {
  return {
    method,
    path,
    accepts: ContentFormat.Cbor,
    produces: method === "FETCH" ? ContentFormat.Cbor : ContentFormat.OctetStream,
    guard: refuseUnprovisioned,
    handle(request, call) {
      const authorized = readBody(AuthorizedRequest, request, "request");
      const asked = readRequest(() => read(authorized.body));
      const key = call.domain.issuingKey();
      if (key === undefined) return notFound("the token is not provisioned");
      const nonce = call.takeNonce();
      if (nonce === undefined) return noNonce();
      const problem = authorizedProblem(authorized, { method, path }, nonce, key);
      return problem === undefined ? done(asked, call) : forbidden(problem);
    },
  };
}

const UNKNOWN = "no such platform";

function as<T>(schema: CborSchema<T>): (body: Uint8Array) => T {
  return (body) => decodeCbor(schema, body, "body");
}

function nothing(body: Uint8Array): undefined {
  if (body.byteLength > 0) throw new MalformedRequest("body: nothing belongs here");
}

function listed({ domain, sessions }: Call): PlatformList {
  const attested = [...sessions].map((session) => session.attested?.id);
  return {
    platforms: domain.listPlatforms().map(({ summary, name, files, bytes }) => ({
      id: fromHex(summary.id) ?? new Uint8Array(),
      name,
      manufacturer: summary.manufacturer,
      product_name: summary.productName,
      serial_number: summary.serialNumber,
      files,
      bytes,
      attested: attested.filter((id) => id === summary.id).length,
    })),
  };
}

export const platformsRoutes: readonly ApiRoute[] = [
  ownerRoute("FETCH", V1.PLATFORMS, nothing, (_asked, call) => revocable(encodeCbor(PlatformList, listed(call)))),
  ownerRoute("POST", `${V1.PLATFORMS}/rename`, as(PlatformRename), ({ id, name }, { domain }) => {
    const outcome = domain.renamePlatform(toHex(id), name);
    if (outcome === "unknown") return notFound(UNKNOWN);
    return outcome === "done" ? changed() : failed("the token's storage is full");
  }),
  ownerRoute("POST", `${V1.PLATFORMS}/remove`, as(PlatformRemove), ({ id }, { domain }) =>
    domain.removePlatform(toHex(id)) === undefined ? notFound(UNKNOWN) : deleted(),
  ),
];
