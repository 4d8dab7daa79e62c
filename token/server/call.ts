import { CodecError } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor } from "../../shared/cbor/index.ts";
import type { CoapReply, CoapRequest, Method, RoutedRequest } from "../../shared/coap/index.ts";
import type { Domain } from "../domain/domain.ts";
import type { Session } from "./session.ts";
import type { Door, SessionTable } from "./sessions.ts";

/** One method on one resource of API v1. */
export interface ApiRoute {
  readonly method: Method;
  /** "/api/v1/attest/:id", as routers take it. */
  readonly path: string;
  /** The one Content-Format that is taken. Absent: it is not looked at. */
  readonly accepts?: number;
  /** The Content-Format of a success, 42 for an empty one. */
  readonly produces: number;
  /** Whether the reference firmware looks at Accept here: D-52. */
  readonly acceptInCompat?: boolean;
  /** Whether the reference firmware says the format of its answer here: D-46. */
  readonly formatInCompat?: boolean;
  /** Looks at the request before its formats are looked at: what it returns is the answer. */
  guard?(request: RoutedRequest, call: Call): CoapReply | undefined;
  handle(request: RoutedRequest, call: Call): CoapReply;
}

/** What a route has to work with, for one request. */
export interface Call {
  readonly domain: Domain;
  readonly sessions: SessionTable;
  /** The peer's session; undefined when it has none. */
  readonly session: Session | undefined;
  /** Made when the peer has none; undefined when there is no room. */
  openSession(): Session | undefined;
  /** Takes the session's nonce. A request takes one at most: asked again it gives the same. */
  takeNonce(): Uint8Array | undefined;
}

/** The request is not what the protocol says: answered 4.00 with the field that is wrong. */
export class MalformedRequest extends Error {
  override readonly name = "MalformedRequest";
}

/** What reads the peer's bytes runs in here, so that its CodecErrors are told from those of damaged storage. */
export function readRequest<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodecError) throw new MalformedRequest(error.message, { cause: error });
    throw error;
  }
}

/** The payload as `schema` says. */
export function readBody<T>(schema: CborSchema<T>, { payload }: CoapRequest, name: string): T {
  return readRequest(() => decodeCbor(schema, payload, name));
}

export function createCall(domain: Domain, sessions: SessionTable, door: Door, { peer }: CoapRequest): Call {
  let taken: { readonly nonce: Uint8Array | undefined } | undefined;
  return {
    domain,
    sessions,
    get session() {
      return sessions.find(door, peer);
    },
    openSession: () => sessions.ensure(door, peer),
    takeNonce() {
      taken ??= { nonce: sessions.find(door, peer)?.takeNonce() };
      return taken.nonce;
    },
  };
}
