import { type CoapReply, ContentFormat, type RoutedRequest } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import type { ApiRoute, Call } from "./call.ts";
import { refuseNotAttested } from "./grant.ts";
import { changed, created, deleted, failed, forbidden, notFound, revocable, unauthorized } from "./replies.ts";

const GRANT = "grant=";
const PATH = `${V1.STORAGE}/:name`;

/** Address and port are no proof: another program may have taken them over. So each request shows what the AIK allowed. D-59. */
function refuseWithoutGrant({ method, path, query, payload }: RoutedRequest, { domain, session }: Call) {
  if (!domain.profile.storageGrants) return undefined;
  const [grant, ...more] = query.filter((argument) => argument.startsWith(GRANT));
  const terms = { method, path: `/${path.join("/")}`, body: payload };
  const granted = grant !== undefined && session?.grants.use(grant.slice(GRANT.length), terms) === true;
  if (granted && more.length === 0) return undefined;
  return unauthorized(`a grant is needed: POST ${V1.GRANT}`);
}

/** Files of the attested platform: `use` gets its id and the name in the path. */
function fileRoute(
  method: "GET" | "PUT" | "DELETE",
  use: (call: Call, platform: string, name: string, payload: Uint8Array) => CoapReply,
): ApiRoute {
  return {
    method,
    path: PATH,
    ...(method === "PUT" ? { accepts: ContentFormat.OctetStream } : {}),
    produces: ContentFormat.OctetStream,
    acceptInCompat: true,
    guard: refuseNotAttested,
    handle(request, call) {
      const platform = call.session?.attested;
      if (platform === undefined) return notFound("not attested");
      return refuseWithoutGrant(request, call) ?? use(call, platform.id, request.params["name"] ?? "", request.payload);
    },
  };
}

const WRITE_FAILURES = {
  "too-large": "the file is too large",
  quota: "this platform keeps as much as it may already",
  "storage-full": "the token's storage is full",
} as const;

export const storageRoutes: readonly ApiRoute[] = [
  fileRoute("GET", ({ domain: { files } }, platform, name) => {
    const data = files.isName(name) ? files.read(platform, name) : undefined;
    return data === undefined ? notFound("no such file") : revocable(data);
  }),
  fileRoute("PUT", ({ domain: { files } }, platform, name, payload) => {
    if (!files.isName(name)) return forbidden("not the name of a file");
    const outcome = files.write(platform, name, payload);
    if (outcome === "created") return created();
    return outcome === "replaced" ? changed() : failed(WRITE_FAILURES[outcome]);
  }),
  fileRoute("DELETE", ({ domain: { files } }, platform, name) => {
    files.remove(platform, name);
    return deleted(); // also of what never was
  }),
];
