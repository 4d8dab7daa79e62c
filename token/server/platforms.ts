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
  done: (wanted: T, call: Call) => CoapReply,
): ApiRoute {
  return {
    method,
    path,
    accepts: ContentFormat.Cbor,
    produces: method === "FETCH" ? ContentFormat.Cbor : ContentFormat.OctetStream,
    guard: refuseUnprovisioned,
    handle(request, call) {
      const authorized = readBody(AuthorizedRequest, request, "request");
      const wanted = readRequest(() => read(authorized.body));
      const key = call.domain.issuingKey();
      if (key === undefined) return notFound("the token is not provisioned");
      const nonce = call.takeNonce();
      if (nonce === undefined) return noNonce();
      const asked = { method, path, token: call.domain.deviceId };
      const problem = authorizedProblem(authorized, asked, nonce, key);
      return problem === undefined ? done(wanted, call) : forbidden(problem);
    },
  };
}

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

/** The id of the platform that the owner means: that of the body, when it is called as the owner was shown. */
function meant({ id, ...shown }: PlatformRemove, { domain }: Call): string | CoapReply {
  const key = toHex(id);
  const summary = domain.platforms.find(key)?.summary;
  if (summary === undefined) return notFound("no such platform");
  const { manufacturer, productName, serialNumber } = summary;
  const same =
    (shown.manufacturer ?? manufacturer) === manufacturer &&
    (shown.product_name ?? productName) === productName &&
    (shown.serial_number ?? serialNumber) === serialNumber;
  return same ? key : notFound("the platform of this id is called otherwise");
}

export const platformsRoutes: readonly ApiRoute[] = [
  ownerRoute("FETCH", V1.PLATFORMS, nothing, (_wanted, call) => revocable(encodeCbor(PlatformList, listed(call)))),
  ownerRoute("POST", `${V1.PLATFORMS}/rename`, as(PlatformRename), ({ name, ...platform }, call) => {
    const id = meant(platform, call);
    if (typeof id !== "string") return id;
    return call.domain.renamePlatform(id, name) === "done" ? changed() : failed("the token's storage is full");
  }),
  ownerRoute("POST", `${V1.PLATFORMS}/remove`, as(PlatformRemove), (platform, call) => {
    const id = meant(platform, call);
    if (typeof id !== "string") return id;
    call.domain.removePlatform(id);
    return deleted();
  }),
];
