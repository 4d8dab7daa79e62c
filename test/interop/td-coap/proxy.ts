/** A reverse proxy with a cache, made of our engine: it stands between client and server where a description wants one. RFC 7252, sections 5.6 and 5.7.3. */
import { toHex } from "../../../shared/bytes/index.ts";
import {
  type CoapHandler,
  type CoapOption,
  type CoapReply,
  type CoapRequest,
  type CoapResponse,
  Code,
  codeClass,
  OptionNumber,
  optionUint,
  uintOption,
} from "../../../shared/coap/index.ts";
import { isNoCacheKey } from "../../../shared/coap/option.ts";
import type { Clock } from "../../../shared/ports/index.ts";

/** RFC 7252, section 5.10.5: of a response that does not say. */
const DEFAULT_MAX_AGE_S = 60;

/** Of one leg only, or given by fields of their own: where the request came to, its blocks, its formats. */
const NOT_FORWARDED: readonly number[] = [
  OptionNumber.UriHost,
  OptionNumber.UriPort,
  OptionNumber.UriPath,
  OptionNumber.UriQuery,
  OptionNumber.ContentFormat,
  OptionNumber.Accept,
  OptionNumber.Block1,
  OptionNumber.Block2,
  OptionNumber.Size1,
  OptionNumber.Size2,
];

/** Requests with these are the server's to answer: what is kept knows nothing of its present state. */
const CONDITIONS: readonly number[] = [OptionNumber.ETag, OptionNumber.IfMatch, OptionNumber.IfNoneMatch];

interface Kept {
  readonly path: string;
  readonly reply: CoapReply;
  /** Until then it is fresh. */
  readonly untilMs: number;
}

export function createReverseProxy(
  clock: Pick<Clock, "now">,
  askServer: (request: CoapRequest, options: readonly CoapOption[]) => Promise<CoapResponse>,
): CoapHandler {
  const cache = new Map<string, Kept>();
  const fresh = (key: string): CoapReply | undefined => {
    const { reply, untilMs } = cache.get(key) ?? NOTHING_KEPT;
    const leftMs = untilMs - clock.now();
    return leftMs > 0 ? withMaxAge(reply, Math.floor(leftMs / 1_000)) : undefined;
  };
  const forward = async (request: CoapRequest): Promise<CoapReply> => {
    const { code, payload, contentFormat, options } = await askServer(request, forwarded(request.options));
    return { code, payload, contentFormat, options: forwarded(options) };
  };
  return async (request) => {
    const path = request.path.join("/");
    if (request.method !== "GET") {
      const reply = await forward(request);
      if (codeClass(reply.code) === 2) for (const [key, kept] of cache) if (kept.path === path) cache.delete(key);
      return reply;
    }
    if (request.options.some(({ number }) => CONDITIONS.includes(number))) return forward(request);
    const key = cacheKey(request);
    const kept = fresh(key);
    if (kept !== undefined) return kept;
    const reply = await forward(request);
    if (reply.code === Code.Content) cache.set(key, { path, reply, untilMs: clock.now() + lifetimeMs(reply) });
    return reply;
  };
}

const NOTHING_KEPT: Kept = { path: "", reply: { code: Code.NotFound }, untilMs: Number.NEGATIVE_INFINITY };

function lifetimeMs({ options = [] }: CoapReply): number {
  return 1_000 * (optionUint(options, OptionNumber.MaxAge) ?? DEFAULT_MAX_AGE_S);
}

function forwarded(options: readonly CoapOption[]): readonly CoapOption[] {
  return options.filter(({ number }) => !NOT_FORWARDED.includes(number));
}

/** RFC 7252, section 5.4.2: every option counts but those that say they do not. */
function cacheKey({ options }: CoapRequest): string {
  const parts = options.filter(({ number }) => !isNoCacheKey(number));
  return parts.map(({ number, value }) => `${number}=${toHex(value)}`).join(" ");
}

/** Section 5.6.1: what is left of it. */
function withMaxAge(reply: CoapReply, seconds: number): CoapReply {
  const others = (reply.options ?? []).filter(({ number }) => number !== OptionNumber.MaxAge);
  return { ...reply, options: [...others, uintOption(OptionNumber.MaxAge, seconds)] };
}
