import { CodecError } from "../bytes/index.ts";
import { Code, type Method } from "./code.ts";
import { ContentFormat } from "./content-format.ts";
import { type CoapHandler, type CoapReply, type CoapRequest, diagnostic } from "./handler.ts";

/** A request that met a route: `params` has the segments that stand where the path has `:name`. */
export interface RoutedRequest extends CoapRequest {
  readonly params: Readonly<Record<string, string>>;
}

/** One method on one path. */
export interface Route<Context = undefined> {
  readonly method: Method;
  /** "/api/v1/attest/:id": a segment with a colon takes any one segment. */
  readonly path: string;
  /** The Content-Formats of the request that are taken; none in the request means 42, RFC 7252, section 5.5.1. Absent: any. */
  readonly accepts?: number | readonly number[];
  /** The Content-Formats that the response may have, which Accept has to name one of. Absent: Accept is not looked at. */
  readonly produces?: number | readonly number[];
  /** Looks at the request before its formats are looked at: what it returns is the answer. */
  guard?(request: RoutedRequest, context: Context): CoapReply | undefined;
  handle(request: RoutedRequest, context: Context): CoapReply | Promise<CoapReply>;
}

export interface RouterOptions<Context> {
  /** Made for each request. */
  readonly context: (request: CoapRequest) => Context;
  /** What a wrong Content-Format is answered. Default 4.15. */
  readonly wrongFormat?: number;
}

interface Compiled<Context> {
  readonly route: Route<Context>;
  readonly segments: readonly string[];
}

/** Answers a request in a context. */
export type Dispatch<Context> = (request: CoapRequest, context: Context) => CoapReply | Promise<CoapReply>;

/**
 * Finds the route. No such path: 4.04; path without the method: 4.05; then the route's guard; Content-Format not taken: 4.15; Accept not met:
 * 4.06; a CodecError of the route: 4.00 with the field that was wrong. The first route that fits is taken.
 */
export function createDispatch<Context>(
  routes: readonly Route<Context>[],
  wrongFormat: number = Code.UnsupportedContentFormat,
): Dispatch<Context> {
  const compiled = routes.map((route) => ({ route, segments: segmentsOf(route.path) }));
  return (request, context) => {
    const onPath = compiled.filter(({ segments }) => fits(segments, request.path));
    const found = onPath.find(({ route }) => route.method === request.method);
    if (found === undefined) return { code: onPath.length === 0 ? Code.NotFound : Code.MethodNotAllowed };
    return run(found, request, context, wrongFormat);
  };
}

/** A handler out of routes: see createDispatch. */
export function createRouter<Context>(routes: readonly Route<Context>[], options: RouterOptions<Context>): CoapHandler {
  const dispatch = createDispatch(routes, options.wrongFormat);
  return (request) => dispatch(request, options.context(request));
}

function run<Context>(
  { route, segments }: Compiled<Context>,
  request: CoapRequest,
  context: Context,
  wrongFormat: number,
): CoapReply | Promise<CoapReply> {
  const routed = { ...request, params: paramsOf(segments, request.path) };
  try {
    const refusal = route.guard?.(routed, context) ?? refusalOf(route, request, wrongFormat);
    if (refusal !== undefined) return refusal;
    const reply = route.handle(routed, context);
    return reply instanceof Promise ? reply.catch(malformed) : reply;
  } catch (error) {
    return malformed(error);
  }
}

function malformed(error: unknown): CoapReply {
  if (error instanceof CodecError) return diagnostic(Code.BadRequest, error.message);
  throw error;
}

function refusalOf<Context>(route: Route<Context>, request: CoapRequest, wrongFormat: number): CoapReply | undefined {
  if (!among(route.accepts, request.contentFormat ?? ContentFormat.OctetStream)) return { code: wrongFormat };
  if (request.accept !== undefined && !among(route.produces, request.accept)) return { code: Code.NotAcceptable };
  return undefined;
}

function among(allowed: number | readonly number[] | undefined, format: number): boolean {
  if (allowed === undefined) return true;
  return typeof allowed === "number" ? allowed === format : allowed.includes(format);
}

function segmentsOf(path: string): readonly string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function fits(segments: readonly string[], path: readonly string[]): boolean {
  return (
    segments.length === path.length && segments.every((segment, i) => segment.startsWith(":") || segment === path[i])
  );
}

function paramsOf(segments: readonly string[], path: readonly string[]): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  for (const [i, segment] of segments.entries()) {
    const value = path[i];
    if (segment.startsWith(":") && value !== undefined) params[segment.slice(1)] = value;
  }
  return params;
}
