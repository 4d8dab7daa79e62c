import {
  type CoapOption,
  type CoapReply,
  Code,
  ContentFormat,
  codeClass,
  diagnostic,
  isSuccess,
  type Method,
  OptionNumber,
  optionValue,
  textOption,
  uintOption,
} from "../../shared/coap/index.ts";
import { SESSION_MS } from "../../shared/protocol/index.ts";
import type { Profile } from "../domain/profile.ts";

/** The answers of API v1. Their Content-Format is that of their route; `dress` adds what the profile says. */

export function content(payload: Uint8Array): CoapReply {
  return { code: Code.Content, payload };
}

/** What the session that asked may know, and nobody after it: not even when the same datagram comes again. */
export function revocable(payload: Uint8Array): CoapReply {
  return { ...content(payload), revocable: true };
}

/** 2.01 with the new object's id in one Location-Path option, in decimal. */
export function createdAt(id: number, payload?: Uint8Array): CoapReply {
  return { code: Code.Created, payload, options: [textOption(OptionNumber.LocationPath, String(id))] };
}

export function created(payload?: Uint8Array): CoapReply {
  return { code: Code.Created, payload };
}

export function changed(payload?: Uint8Array): CoapReply {
  return { code: Code.Changed, payload };
}

export function deleted(): CoapReply {
  return { code: Code.Deleted };
}

/** In UTF-8 less than a block, so that nothing has to be kept of an error. Attesters show no more either. */
const MAX_TEXT = 320;

/** A text may quote the peer, and so be as long as the peer likes. */
function refused(code: number, text: string): CoapReply {
  return diagnostic(code, text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}\u2026` : text);
}

export function badRequest(text: string): CoapReply {
  return refused(Code.BadRequest, text);
}

export function unauthorized(text: string): CoapReply {
  return refused(Code.Unauthorized, text);
}

export function forbidden(text: string): CoapReply {
  return refused(Code.Forbidden, text);
}

export function notFound(text: string): CoapReply {
  return refused(Code.NotFound, text);
}

/** What the token could not do although it was asked rightly. */
export function failed(text: string): CoapReply {
  return refused(Code.InternalServerError, text);
}

export function noNonce(): CoapReply {
  return forbidden("no nonce: GET /api/v1/nonce first");
}

/** Every session that there is room for is attested. */
export function noRoom(): CoapReply {
  const seconds = uintOption(OptionNumber.MaxAge, SESSION_MS / 1_000);
  return diagnostic(Code.ServiceUnavailable, "all sessions are taken", [seconds]);
}

/** For refusals that the router made: what is wrong is in the code alone. */
const TEXTS: ReadonlyMap<number, string> = new Map<number, string>([
  [Code.NotFound, "no such resource"],
  [Code.MethodNotAllowed, "this resource has not that method"],
  [Code.NotAcceptable, "the answer has another Content-Format"],
  [Code.BadRequest, "wrong Content-Format"],
]);

/** The reply as the profile has it go out; D-46, D-47. A success keeps its Content-Format where its route gave it one. */
export function dress(reply: CoapReply, method: Method, profile: Profile): CoapReply {
  const text = reply.payload === undefined ? TEXTS.get(reply.code) : undefined;
  const told = text === undefined ? reply : diagnostic(reply.code, text, reply.options);
  if (!wantsMaxAge(told, method, profile)) return told;
  return { ...told, options: [...(told.options ?? []), uintOption(OptionNumber.MaxAge, 0)] };
}

/** Of the errors that are told below the API, such as a block that is missing: D-47. */
export function errorOptions({ maxAge }: Profile): readonly CoapOption[] {
  return maxAge === "content" ? [] : [uintOption(OptionNumber.MaxAge, 0)];
}

function wantsMaxAge({ code, options }: CoapReply, method: Method, profile: Profile): boolean {
  if (optionValue(options ?? [], OptionNumber.MaxAge) !== undefined) return false;
  if (profile.maxAge === "content") return isSuccess(code) && method === "GET";
  return code === Code.Content || codeClass(code) >= 4;
}

/** What a route's success is said to be; the format of nothing is 42, RFC 7252, section 5.5.1. D-46. */
export function withFormat(reply: CoapReply, produces: number): CoapReply {
  if (!isSuccess(reply.code)) return reply;
  const contentFormat = reply.payload === undefined ? ContentFormat.OctetStream : produces;
  return { ...reply, contentFormat };
}
