import { type CborSchema, type CborValue, encodeCbor, encodeItem } from "../../shared/cbor/index.ts";
import {
  type ClientRequest,
  type CoapEndpoint,
  CoapError,
  ContentFormat,
  createEndpoint,
  type Method,
} from "../../shared/coap/index.ts";
import type { Peer, Random } from "../../shared/ports/index.ts";
import { V1 } from "../../shared/protocol/index.ts";
import { type Answer, expect } from "./answer.ts";
import type { Gate } from "./gate.ts";
import type { Time } from "./time.ts";
import { Unmet } from "./unmet.ts";

/** A body with its Content-Format. */
export interface Body {
  readonly payload: Uint8Array;
  readonly contentFormat?: number | undefined;
}

export const cborBody = <T>(schema: CborSchema<T>, value: T): Body => asCbor(encodeCbor(schema, value));
export const asCbor = (payload: Uint8Array): Body => ({ payload, contentFormat: ContentFormat.Cbor });
/** Anything at all, whatever the protocol says. */
export const asItem = (value: Plain): Body => asCbor(encodeItem(itemOf(value)));
export type Plain = CborValue | readonly Plain[] | { readonly [key: string]: Plain };

export function itemOf(value: Plain): CborValue {
  if (Array.isArray(value)) return value.map((part: Plain) => itemOf(part));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || value instanceof Map)
    return value as CborValue;
  return new Map(Object.entries(value).map(([key, part]) => [key, itemOf(part as Plain)]));
}

export const asBytes = (payload: Uint8Array): Body => ({ payload, contentFormat: ContentFormat.OctetStream });
/** No Content-Format at all. */
export const bare = (payload: Uint8Array): Body => ({ payload });

export type Extra = Omit<ClientRequest, "method" | "path" | "payload" | "contentFormat">;

/** Short waits: a token on a wire answers at once, and a lossy one within some tries. */
const TRANSMISSION = { ackTimeoutMs: 1_000, ackRandomFactor: 1, maxRetransmit: 4 } as const;

/** One peer of the token: a UDP port with a CoAP endpoint, which answers the token's pings as long as the wire is there. */
export class Client {
  readonly wire: Gate;
  readonly token: Peer;
  readonly time: Time;
  readonly #endpoint: CoapEndpoint;

  constructor(wire: Gate, token: Peer, time: Time, random: Random) {
    this.wire = wire;
    this.token = token;
    this.time = time;
    this.#endpoint = createEndpoint({ port: wire, clock: time.clock, random, transmission: TRANSMISSION });
  }

  /** Unmet when no answer comes. */
  async ask(method: Method, path: string | readonly string[], body?: Body, extra: Extra = {}): Promise<Answer> {
    const what = `${method} ${typeof path === "string" ? path : `/${path.join("/")}`}`;
    try {
      const request = { timeoutMs: ANSWER_LIMIT_MS, ...extra, ...body, method, path };
      const { code, options, payload } = await this.time.during(this.#endpoint.request(this.token, request));
      return { what, code, options, payload };
    } catch (error) {
      if (error instanceof CoapError) throw new Unmet(`${what}: no answer: ${error.message}`, { cause: error });
      throw error;
    }
  }

  get(path: string | readonly string[], extra?: Extra): Promise<Answer> {
    return this.ask("GET", path, undefined, extra);
  }

  post(path: string | readonly string[], body?: Body, extra?: Extra): Promise<Answer> {
    return this.ask("POST", path, body, extra);
  }

  /** A fresh nonce of this peer's session. */
  async nonce(): Promise<Uint8Array> {
    return expect(await this.get(V1.NONCE), { code: "2.05", bytes: 32 }).payload;
  }

  async ping(): Promise<void> {
    try {
      await this.time.during(this.#endpoint.ping(this.token));
    } catch (error) {
      if (error instanceof CoapError) throw new Unmet(`ping: ${error.message}`, { cause: error });
      throw error;
    }
  }

  /** The peer's wire is cut for so long: it says nothing, and answers no ping. */
  async silentFor(ms: number): Promise<void> {
    this.wire.shut = true;
    await this.time.wait(ms);
    this.wire.shut = false;
  }

  async close(): Promise<void> {
    this.#endpoint.close();
    await this.wire.close();
  }
}

const ANSWER_LIMIT_MS = 60_000;
