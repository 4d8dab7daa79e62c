import {
  type ClientRequest,
  type CoapEndpoint,
  type CoapResponse,
  ContentFormat,
  codeText,
  createEndpoint,
  isSuccess,
} from "../../../shared/coap/index.ts";
import type { Clock, DatagramPort, Log, Peer, Random } from "../../../shared/ports/index.ts";
import { V1, V1_PORT, V1_TOKEN_ADDRESS } from "../../../shared/protocol/index.ts";
import {
  createTokenWire,
  TokenAnswerError,
  TokenRefused,
  TokenSilent,
  type TokenWire,
  type WireEndpoint,
} from "../../flows/index.ts";

export const TOKEN_PEER: Peer = { address: V1_TOKEN_ADDRESS, port: V1_PORT };

/** As host programs have it (attester/cli/token-link.ts): after three sendings nobody is there. */
const TRANSMISSION = { ackTimeoutMs: 1_000, maxRetransmit: 2, responseTimeoutMs: 15_000 };

/** What came of asking the token: done, with what it gave, or its last error code, or silence. */
export type Told<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly answer: string; readonly sentence: string };

const SILENT = "silent";
/** It failed without an error code of the token: before it was asked, or in spite of a success. */
const NONE = "none";

/** Flows tell refusals as values; this is what theirs have in common. */
interface Refused {
  readonly ok: false;
  readonly reason?: string;
  readonly detail?: string;
  readonly sentence?: string;
}

export interface ProgramOptions {
  readonly name: string;
  readonly port: DatagramPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onRequest?: ((what: string, answer: Promise<CoapResponse>) => void) | undefined;
}

/** A process of the computer that asks the token: a UDP port, so a session of its own. */
export class Program {
  readonly name: string;
  readonly port: DatagramPort;
  readonly wire: TokenWire;
  readonly #endpoint: CoapEndpoint;
  #lastAnswer = NONE;
  readonly #atEnd: (() => void)[] = [];

  constructor({ name, port, clock, random, log, onRequest }: ProgramOptions) {
    this.name = name;
    this.port = port;
    this.#endpoint = createEndpoint({ port, clock, random, log, transmission: TRANSMISSION });
    const endpoint: WireEndpoint = {
      request: (to, request) => {
        const answer = this.#endpoint.request(to, request);
        onRequest?.(`${name}'s ${request.method} ${String(request.path)}`, answer);
        return this.#noting(request, answer);
      },
      ping: (to, transmission) => this.#endpoint.ping(to, transmission),
    };
    this.wire = createTokenWire({ endpoint, token: TOKEN_PEER, log });
  }

  /** Runs a flow over this program's wire; flows end with a value, a refusal as a value, or an error of the wire. */
  async ask<T>(flow: (wire: TokenWire) => Promise<T>): Promise<Told<Exclude<T, Refused>>> {
    this.#lastAnswer = NONE;
    try {
      const value = await flow(this.wire);
      if (!isRefused(value)) return { ok: true, value: value as Exclude<T, Refused> };
      const silent = value.reason === "token-silent";
      const sentence = value.sentence ?? value.detail ?? "refused";
      return { ok: false, answer: silent ? SILENT : this.#lastAnswer, sentence };
    } catch (error) {
      if (!isOfWire(error)) throw error;
      const silent = error instanceof TokenSilent;
      return { ok: false, answer: silent ? SILENT : this.#lastAnswer, sentence: error.message };
    }
  }

  /** One request as it is, without any grant. */
  bare(request: ClientRequest): Promise<Told<Uint8Array>> {
    return this.ask(async (wire) => (await wire.ask("a bare request", request)).payload);
  }

  /** Something to stop when the program ends. */
  atEnd(stop: () => void): void {
    this.#atEnd.push(stop);
  }

  /** As when the process is killed: nothing is said to the token. */
  async end(): Promise<void> {
    for (const stop of this.#atEnd) stop();
    this.#endpoint.close();
    await this.port.close();
  }

  /** What the token says to an explanation or a log is beside the point. */
  async #noting({ path }: ClientRequest, answer: Promise<CoapResponse>): Promise<CoapResponse> {
    const isAside = /\/(explain|log)$/.test(String(path));
    const response = await answer;
    if (!isSuccess(response.code) && !isAside) this.#lastAnswer = codeText(response.code);
    return response;
  }
}

/** The request for a file without a grant: all that a program without access to the TPM can ask. */
export function bareFileRequest(method: "GET" | "PUT" | "DELETE", name: string, payload?: Uint8Array): ClientRequest {
  const path = [...V1.STORAGE.slice(1).split("/"), name];
  if (payload === undefined) return { method, path };
  return { method, path, payload, contentFormat: ContentFormat.OctetStream };
}

function isRefused(value: unknown): value is Refused {
  return typeof value === "object" && value !== null && "ok" in value && value.ok === false;
}

function isOfWire(error: unknown): error is Error {
  return error instanceof TokenRefused || error instanceof TokenSilent || error instanceof TokenAnswerError;
}
