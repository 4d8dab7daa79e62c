import { type BlockSize, exponentOf, MAX_EXPONENT } from "./block-option.ts";
import type { Method } from "./code.ts";
import type { CoapError } from "./error.ts";
import { type CoapOption, OptionNumber, optionUint, textOption, uintOption } from "./option.ts";
import type { Transmission } from "./parameters.ts";

/** What a client asks. */
export interface ClientRequest {
  readonly method: Method;
  /** "/api/v1/nonce" or its segments; the latter where a segment holds a "/". */
  readonly path: string | readonly string[];
  readonly query?: readonly string[] | undefined;
  readonly payload?: Uint8Array | undefined;
  readonly contentFormat?: number | undefined;
  readonly accept?: number | undefined;
  /** Besides those of the fields above and the block options. */
  readonly options?: readonly CoapOption[] | undefined;
  /** Default true. */
  readonly confirmable?: boolean | undefined;
  /** Blocks of this size up and down; Block2 is asked for in any case then. Default: blocks of 1024 up, the server's choice down. */
  readonly blockSize?: BlockSize | undefined;
  /** For the whole, all blocks together. Default: as long as messages keep being answered. */
  readonly timeoutMs?: number | undefined;
  /** What differs from the endpoint's. */
  readonly transmission?: Partial<Transmission> | undefined;
  /** The largest response body. Default: the endpoint's limit. */
  readonly maxBodyBytes?: number | undefined;
}

/** Any code, errors included: what the peer refuses is an answer. */
export interface CoapResponse {
  readonly code: number;
  readonly contentFormat: number | undefined;
  /** Of the first block when there were several. */
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export type CoapOutcome =
  | { readonly ok: true; readonly response: CoapResponse }
  | { readonly ok: false; readonly error: CoapError };

export function responseOf(code: number, options: readonly CoapOption[], payload: Uint8Array): CoapResponse {
  return { code, contentFormat: optionUint(options, OptionNumber.ContentFormat), options, payload };
}

/** All options but those of blocks. RangeError when a segment is too long: it would be refused by every server. */
export function requestOptions(request: ClientRequest): readonly CoapOption[] {
  const options: CoapOption[] = [];
  for (const segment of segmentsOf(request.path)) options.push(shortText(OptionNumber.UriPath, segment));
  if (request.contentFormat !== undefined) options.push(uintOption(OptionNumber.ContentFormat, request.contentFormat));
  for (const argument of request.query ?? []) options.push(shortText(OptionNumber.UriQuery, argument));
  if (request.accept !== undefined) options.push(uintOption(OptionNumber.Accept, request.accept));
  if (request.options !== undefined) options.push(...request.options);
  return options;
}

export function blockExponentOf(request: ClientRequest): number {
  return request.blockSize === undefined ? MAX_EXPONENT : exponentOf(request.blockSize);
}

function segmentsOf(path: string | readonly string[]): readonly string[] {
  if (typeof path !== "string") return path;
  const trimmed = path.startsWith("/") ? path.slice(1) : path;
  return trimmed === "" ? [] : trimmed.split("/");
}

const MAX_TEXT_BYTES = 255;

function shortText(number: number, text: string): CoapOption {
  const option = textOption(number, text);
  if (option.value.byteLength > MAX_TEXT_BYTES)
    throw new RangeError(`${text.slice(0, 20)}... is over ${MAX_TEXT_BYTES} bytes`);
  return option;
}
