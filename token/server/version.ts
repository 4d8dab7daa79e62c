import { encodeCbor } from "../../shared/cbor/index.ts";
import { ContentFormat } from "../../shared/coap/index.ts";
import { V1, Versions } from "../../shared/protocol/index.ts";
import type { ApiRoute } from "./call.ts";
import { content } from "./replies.ts";

const VERSIONS = encodeCbor(Versions, { versions: [1] });

function versionAt(path: string): ApiRoute {
  return { method: "GET", path, produces: ContentFormat.Cbor, handle: () => content(VERSIONS) };
}

/** GET /api/version, which every program asks, and the place that the published text names besides. */
export const versionRoutes: readonly ApiRoute[] = [versionAt(V1.VERSION), versionAt("/api/v1")];
