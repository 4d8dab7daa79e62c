import { CodecError } from "../../shared/bytes/index.ts";
import { type CoapReply, type CoapRequest, Code, createDispatch, type Route } from "../../shared/coap/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import type { Profile } from "../domain/profile.ts";
import { activateRoute } from "./activate.ts";
import { aikRoute } from "./aik.ts";
import { attestRoute } from "./attest.ts";
import { attestationLogRoute } from "./attestation-log.ts";
import { type ApiRoute, type Call, MalformedRequest } from "./call.ts";
import { ekRoute } from "./ek.ts";
import { enrolmentLogRoute } from "./enrolment-log.ts";
import { metaRoute, rimRoute } from "./enrolment-object.ts";
import { evidenceRoute } from "./evidence.ts";
import { explainRoute } from "./explain.ts";
import { finishRoute } from "./finish.ts";
import { grantRoute } from "./grant.ts";
import { nonceRoute } from "./nonce.ts";
import { readOptions, refusedCondition } from "./options.ts";
import { platformsRoutes } from "./platforms.ts";
import { provisionCompleteRoute } from "./provision-complete.ts";
import { badRequest, dress, withFormat } from "./replies.ts";
import { storageRoutes } from "./storage.ts";
import { tokenProvisionRoute } from "./token-provision.ts";
import { versionRoutes } from "./version.ts";

/** API v1, resource by resource. Where two paths fit, the first is taken. */
const routes: readonly ApiRoute[] = [
  ...versionRoutes,
  nonceRoute,
  tokenProvisionRoute,
  provisionCompleteRoute,
  ekRoute,
  aikRoute,
  activateRoute,
  finishRoute,
  metaRoute,
  rimRoute,
  enrolmentLogRoute,
  attestRoute,
  attestationLogRoute,
  evidenceRoute,
  explainRoute,
  grantRoute,
  ...storageRoutes,
  ...platformsRoutes,
];

/** The stored bytes cannot be read any more. Answered 5.00. */
export class StoredDataError extends Error {
  override readonly name = "StoredDataError";
}

/** A mistake of the peer is answered; what does not decode besides is the token's own. */
function guarded(run: () => CoapReply | undefined): CoapReply | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof MalformedRequest) return badRequest(error.message);
    if (error instanceof CodecError) throw new StoredDataError(error.message, { cause: error });
    throw error;
  }
}

/** The route as a router takes it, with what the profile says of its options. */
function routed(route: ApiRoute, profile: Profile): Route<Call> {
  const { method, path, accepts, produces } = route;
  const looksAtAccept = profile.accept === "everywhere" || route.acceptInCompat === true;
  const tellsFormat = profile.contentFormat === "all" || route.formatInCompat === true;
  return {
    method,
    path,
    ...(accepts === undefined ? {} : { accepts }),
    ...(looksAtAccept ? { produces } : {}),
    guard: (request, call) => guarded(() => route.guard?.(request, call)),
    handle(request, call) {
      const reply = guarded(() => route.handle(request, call)) ?? { code: Code.InternalServerError };
      return tellsFormat ? withFormat(reply, produces) : reply;
    },
  };
}

const PROVISIONING = V1.PROVISION.split("/").slice(1);

/** Whether the reference firmware takes the nonce here before it looks any further: below platform provisioning, whatever stands there. D-56. */
function takesNonceEarly(path: readonly string[], { nonceConsumed }: Profile): boolean {
  if (nonceConsumed !== "early" || PROVISIONING.some((segment, i) => path[i] !== segment)) return false;
  return /^\d+$/.test(path[PROVISIONING.length] ?? "");
}

/** The whole API as one function of request and call. It answers at once. */
export function createApi(profile: Profile): (request: CoapRequest, call: Call) => CoapReply {
  const dispatch = createDispatch(
    routes.map((route) => routed(route, profile)),
    Code.BadRequest,
  );
  return (received, call) => {
    if (takesNonceEarly(received.path, profile)) call.takeNonce();
    const request = readOptions(received, profile);
    const reply = refusedCondition(request, profile) ?? dispatch(request, call);
    if (reply instanceof Promise) throw new TypeError(`${request.method} /${request.path.join("/")} answers later`);
    return dress(reply, request.method, profile);
  };
}
