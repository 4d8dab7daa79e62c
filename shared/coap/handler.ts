import { utf8 } from "../bytes/index.ts";
import type { Peer } from "../ports/index.ts";
import type { Method } from "./code.ts";
import type { CoapOption } from "./option.ts";

/** A request as a handler sees it: complete, its critical options understood. */
export interface CoapRequest {
  readonly peer: Peer;
  readonly method: Method;
  /** One element for each Uri-Path option; empty for the root. A segment may hold any character, "/" too. */
  readonly path: readonly string[];
  readonly query: readonly string[];
  /** Undefined when absent or no Content-Format at all (over two bytes). */
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  readonly options: readonly CoapOption[];
  /** May be a view of the datagram. */
  readonly payload: Uint8Array;
}

export interface CoapReply {
  readonly code: number;
  readonly payload?: Uint8Array | undefined;
  readonly contentFormat?: number | undefined;
  /** Besides Content-Format and the block options. */
  readonly options?: readonly CoapOption[] | undefined;
  /**
   * For who the peer is now alone: when the same request comes again after the peer was forgotten (CoapEndpoint.forget), it is not answered from
   * memory but done anew, which RFC 7252, section 4.5, leaves to requests that change nothing.
   */
  readonly revocable?: boolean | undefined;
}

/** What it throws is logged and answered 5.00. A reply that is not a promise is sent before the datagram's listener returns. */
export type CoapHandler = (request: CoapRequest) => CoapReply | Promise<CoapReply>;

/** An error with a diagnostic payload: RFC 7252, section 5.5.2. */
export function diagnostic(code: number, text: string, options?: readonly CoapOption[]): CoapReply {
  return { code, payload: utf8(text), options };
}
