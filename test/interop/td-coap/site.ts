/** The server's side of the descriptions: the resources that they name. */
import { utf8 } from "../../../shared/bytes/index.ts";
import {
  type CoapHandler,
  type CoapReply,
  type CoapRequest,
  Code,
  ContentFormat,
  OptionNumber,
  optionValue,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import type { Clock } from "../../../shared/ports/index.ts";
import { seededRandom } from "../../support/random.ts";

export const UNDERSTOOD = [OptionNumber.IfMatch, OptionNumber.IfNoneMatch];
export const XML = 41;
const MAX_AGE_S = 30;
export const LARGE = seededRandom(1, "td-coap").bytes(2_500);
export const SMALL = utf8("as found");

interface Resource {
  readonly payload: Uint8Array;
  readonly contentFormat: number;
  /** Another for each content. */
  readonly etag: Uint8Array;
}

/** What is there at the beginning, for a server that is filled by requests, too. */
export const CONTENTS: readonly (readonly [string, Uint8Array])[] = [
  ["test", SMALL],
  ["separate", SMALL],
  ["seg1/seg2/seg3", SMALL],
  ["query", SMALL],
  ["validate", SMALL],
  ["large", LARGE],
  ["large-update", SMALL],
];

const text = (payload: Uint8Array): CoapReply => ({ code: Code.Content, payload, contentFormat: ContentFormat.Text });

/** A new site. /separate takes `delayMs`, longer than the server waits with its ACK. */
export function createSite(clock: Clock, delayMs: number): CoapHandler {
  const resources = new Map<string, Resource>();
  let made = 0;
  const put = (path: string, payload: Uint8Array, contentFormat: number = ContentFormat.OctetStream) =>
    resources.set(path, { payload: payload.slice(), contentFormat, etag: Uint8Array.of(0xe7, ++made) });
  for (const [path, payload] of CONTENTS) put(path, payload);

  const get = (path: string, request: CoapRequest): CoapReply => {
    if (path === "multi-format") return inFormat(request.accept);
    if (path === "max-age")
      return { ...text(utf8(`${++made}`)), options: [uintOption(OptionNumber.MaxAge, MAX_AGE_S)] };
    const found = resources.get(path);
    if (found === undefined) return { code: Code.NotFound };
    const options = [{ number: OptionNumber.ETag, value: found.etag }];
    if (named(request, OptionNumber.ETag, found.etag)) return { code: Code.Valid, options };
    return { code: Code.Content, options, payload: found.payload, contentFormat: found.contentFormat };
  };

  const update = (path: string, request: CoapRequest): CoapReply => {
    const found = resources.get(path);
    if (found !== undefined && optionValue(request.options, OptionNumber.IfNoneMatch) !== undefined)
      return { code: Code.PreconditionFailed };
    const conditional = optionValue(request.options, OptionNumber.IfMatch) !== undefined;
    if (conditional && (found === undefined || !named(request, OptionNumber.IfMatch, found.etag)))
      return { code: Code.PreconditionFailed };
    put(path, request.payload, request.contentFormat);
    return { code: found === undefined ? Code.Created : Code.Changed };
  };

  const post = (path: string, request: CoapRequest): CoapReply => {
    if (path === "large-post") return { ...text(request.payload.toReversed()), code: Code.Changed };
    if (path === "location-query")
      return { code: Code.Created, options: texts(OptionNumber.LocationQuery, ["first=1", "second=2"]) };
    const place = path === "test" ? ["location1", "location2", "location3"] : [path, "1"];
    put(place.join("/"), request.payload, request.contentFormat);
    return { code: Code.Created, options: texts(OptionNumber.LocationPath, place) };
  };

  return (request) => {
    const path = request.path.join("/");
    if (path === "separate") return new Promise((resolve) => clock.after(delayMs, () => resolve(get(path, request))));
    if (request.method === "GET") return get(path, request);
    if (request.method === "PUT") return update(path, request);
    if (request.method === "POST") return post(path, request);
    return { code: resources.delete(path) ? Code.Deleted : Code.NotFound };
  };
}

function inFormat(accept: number | undefined): CoapReply {
  if (accept === XML) return { code: Code.Content, payload: utf8("<a/>"), contentFormat: XML };
  return accept === undefined || accept === ContentFormat.Text ? text(utf8("a")) : { code: Code.NotAcceptable };
}

/** Whether one of the request's options of that number has this value. */
function named({ options }: CoapRequest, number: number, value: Uint8Array): boolean {
  return options.some((option) => option.number === number && Buffer.compare(option.value, value) === 0);
}

function texts(number: number, values: readonly string[]) {
  return values.map((value) => textOption(number, value));
}
