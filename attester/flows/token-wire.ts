import { CodecError, replaceUnseen } from "../../shared/bytes/index.ts";
import { decodeCbor } from "../../shared/cbor/index.ts";
import {
  type ClientRequest,
  type CoapEndpoint,
  CoapError,
  type CoapResponse,
  Code,
  codeText,
  isSuccess,
  OptionNumber,
  optionTexts,
  type Transmission,
} from "../../shared/coap/index.ts";
import type { Log, Peer } from "../../shared/ports/index.ts";
import { Limit, V1, Versions } from "../../shared/protocol/index.ts";

/** What a host program of API v1 knows of the wire: one request after the other to one token. */

/** The token answered with an error code. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
  readonly code: number;
  /** The diagnostic payload; empty when there is none. */
  readonly detail: string;

  constructor(what: string, code: number, detail: string) {
    super(`the token refuses ${what} (${codeText(code)}${detail === "" ? "" : `: ${detail}`})`);
    this.code = code;
    this.detail = detail;
  }
}

/** The token was not reached, or did not answer in time. */
export class TokenSilent extends Error {
  override readonly name = "TokenSilent";
}

/** The token's answer is not what the protocol says. */
export class TokenAnswerError extends Error {
  override readonly name = "TokenAnswerError";
}

/** What a wire needs of an endpoint. */
export type WireEndpoint = Pick<CoapEndpoint, "request" | "ping">;

export interface TokenWireOptions {
  readonly endpoint: WireEndpoint;
  readonly token: Peer;
  readonly log: Log;
}

export interface TokenWire {
  /** A success, or one of the three errors above. `what` stands in their sentences: "the metadata". */
  ask(what: string, request: ClientRequest): Promise<CoapResponse>;
  /** For what is read by its layout: CodecError becomes TokenAnswerError. */
  read<T>(what: string, decode: () => T): T;
  /** The object that a 2.01 named: the last segment of its Location-Path, decimal. */
  location(what: string, response: CoapResponse): string;
  versions(): Promise<readonly number[]>;
  /** A fresh nonce of this session, 32 bytes. */
  nonce(): Promise<Uint8Array>;
  /** Resolves when the token answered a ping; TokenSilent otherwise. Keeps the session. */
  ping(transmission?: Partial<Transmission>): Promise<void>;
}

const UINT32_MAX = 0xffff_ffff;
const MAX_DETAIL = 320;
/** Text of a peer for a person's terminal: nothing that is not shown, not endless. */
function detailOf(payload: Uint8Array): string {
  return replaceUnseen(new TextDecoder().decode(payload.subarray(0, MAX_DETAIL)), () => "?");
}

export function createTokenWire({ endpoint, token, log }: TokenWireOptions): TokenWire {
  const where = `${token.address}:${token.port}`;
  const failed = (what: string, error: unknown): unknown => {
    if (!(error instanceof CoapError)) return error;
    const { kind, message: why } = error;
    if (kind === "timeout") return new TokenSilent(`no token answers at ${where}`, { cause: error });
    if (kind === "protocol" || kind === "too-large") {
      return new TokenAnswerError(`the token's answer to ${what} is against the rules of CoAP: ${why}`, {
        cause: error,
      });
    }
    return new TokenSilent(`no token answers at ${where}: ${why}`, { cause: error });
  };
  const wire: TokenWire = {
    async ask(what, request) {
      let response: CoapResponse;
      try {
        response = await endpoint.request(token, request);
      } catch (error) {
        throw failed(what, error);
      }
      log.write("debug", `${request.method} ${String(request.path)}: ${codeText(response.code)}`);
      if (!isSuccess(response.code)) throw new TokenRefused(what, response.code, detailOf(response.payload));
      return response;
    },
    read(what, decode) {
      try {
        return decode();
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
        throw new TokenAnswerError(`the token's answer to ${what} is malformed: ${error.message}`, { cause: error });
      }
    },
    location(what, { code, options }) {
      const id = optionTexts(options, OptionNumber.LocationPath).at(-1);
      if (code !== Code.Created || id === undefined || !/^\d{1,10}$/.test(id) || Number(id) > UINT32_MAX) {
        throw new TokenAnswerError(`the token's answer to ${what} names no object`);
      }
      return id;
    },
    async versions() {
      const { payload } = await wire.ask("its version", { method: "GET", path: V1.VERSION });
      return wire.read("its version", () => decodeCbor(Versions, payload, "version").versions);
    },
    async nonce() {
      const { payload } = await wire.ask("a nonce", { method: "GET", path: V1.NONCE });
      if (payload.byteLength !== Limit.NONCE_BYTES) {
        throw new TokenAnswerError(`the token's nonce has ${payload.byteLength} bytes`);
      }
      return payload;
    },
    async ping(transmission) {
      try {
        await endpoint.ping(token, transmission);
      } catch (error) {
        throw failed("a ping", error);
      }
    },
  };
  return wire;
}
