/**
 * Why a request got no response.
 * `timeout`: no answer in time. `reset`: the peer answered RST. `cancelled`: by the caller, or the endpoint closed.
 * `protocol`: the response breaks a rule of RFC 7252 or RFC 7959. `too-large`: the body is over the limit. `busy`: too many open requests.
 */
export type CoapFailure = "timeout" | "reset" | "cancelled" | "protocol" | "too-large" | "busy";

export class CoapError extends Error {
  override readonly name = "CoapError";
  readonly kind: CoapFailure;

  constructor(kind: CoapFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
