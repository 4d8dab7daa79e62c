import type { Log } from "../ports/index.ts";
import { transferKey } from "./block-key.ts";
import { type Block, blockOption, readBlock } from "./block-option.ts";
import { tooLarge, type UploadOutcome, UploadTable } from "./block1-server.ts";
import { blockOf, DownloadTable, fitsInOneBlock, type ServerResponse, withETag } from "./block2-server.ts";
import { Code, isSuccess, type Method, methodOf } from "./code.ts";
import type { ExchangeLayer } from "./exchange.ts";
import { type CoapHandler, type CoapReply, type CoapRequest, diagnostic } from "./handler.ts";
import { type CoapMessage, MessageType, NO_BYTES } from "./message.ts";
import {
  type CoapOption,
  OptionNumber,
  optionName,
  optionTexts,
  optionUint,
  optionValue,
  refusedOption,
  uintOption,
} from "./option.ts";
import type { PeerRecord } from "./peers.ts";
import type { RequestExchange } from "./request-exchange.ts";

/** Critical options the server itself deals with, or that change nothing for a server with one name. */
const UNDERSTOOD: readonly number[] = [
  OptionNumber.UriHost,
  OptionNumber.UriPort,
  OptionNumber.UriPath,
  OptionNumber.UriQuery,
  OptionNumber.Accept,
  OptionNumber.Block1,
  OptionNumber.Block2,
];

export interface ServeOptions {
  /** Critical options that the handler deals with besides those of routing, content negotiation and blocks, If-Match for one. */
  readonly understands?: readonly number[];
  /** What the server's own errors carry, besides what they need: a handler's replies have their options from it. */
  readonly errorOptions?: readonly CoapOption[];
}

/** A request under way: what its response needs to know of it. */
interface Call {
  readonly exchange: RequestExchange;
  readonly method: Method;
  readonly block1: Block | undefined;
  readonly block2: Block | undefined;
}

/** The server's half of RFC 7252, section 5, and of RFC 7959. */
export class CoapServer {
  readonly #layer: ExchangeLayer;
  readonly #log: Log | undefined;
  readonly #uploads: UploadTable;
  readonly #downloads: DownloadTable;
  #handler: CoapHandler | undefined;
  #understood: ReadonlySet<number> = new Set(UNDERSTOOD);
  #errorOptions: readonly CoapOption[] = [];

  constructor(layer: ExchangeLayer, log: Log | undefined) {
    this.#layer = layer;
    this.#log = log;
    this.#uploads = new UploadTable(layer.limits);
    this.#downloads = new DownloadTable(layer.limits);
  }

  serve(handler: CoapHandler, options: ServeOptions): void {
    this.#handler = handler;
    this.#understood = new Set([...UNDERSTOOD, ...(options.understands ?? [])]);
    this.#errorOptions = options.errorOptions ?? [];
  }

  /** See CoapEndpoint.holdings. */
  holdings(): Readonly<Record<string, number>> {
    return {
      uploads: this.#uploads.size,
      "bytes of uploads": this.#uploads.bytes,
      downloads: this.#downloads.size,
    };
  }

  forget(peer: PeerRecord): void {
    this.#uploads.forget(peer);
    this.#downloads.forget(peer);
  }

  receive(exchange: RequestExchange): void {
    const handler = this.#handler;
    if (handler === undefined) {
      exchange.reject(); // RFC 7252, section 4.2: no context to process a request
      return;
    }
    const { message } = exchange;
    const unwanted = refusedOption(message.options, this.#understood);
    if (unwanted !== undefined) {
      this.#refuseOption(exchange, unwanted);
      return;
    }
    const method = methodOf(message.code);
    const block1 = readBlock(message.options, OptionNumber.Block1);
    const block2 = readBlock(message.options, OptionNumber.Block2);
    if (method === undefined) this.#refuse(exchange, diagnostic(Code.MethodNotAllowed, `method ${message.code}`));
    else if (block1 === "malformed" || block2 === "malformed")
      this.#refuse(exchange, diagnostic(Code.BadRequest, "block size 7"));
    else if (this.#layer.runningRequests >= this.#layer.limits.runningRequests) this.#refuse(exchange, BUSY);
    else this.#receiveBlock({ exchange, method, block1, block2 }, handler);
  }

  /** Section 5.4.1 and, for proxying, 5.10.2. */
  #refuseOption(exchange: RequestExchange, option: CoapOption): void {
    const proxying = option.number === OptionNumber.ProxyUri || option.number === OptionNumber.ProxyScheme;
    if (exchange.message.type === MessageType.Non) exchange.reject();
    else if (proxying) this.#refuse(exchange, diagnostic(Code.ProxyingNotSupported, "not a proxy"));
    else
      this.#refuse(exchange, diagnostic(Code.BadOption, `option ${optionName(option.number)} is not supported here`));
  }

  #receiveBlock(call: Call, handler: CoapHandler): void {
    const { exchange, block1, block2 } = call;
    const { peer, message } = exchange;
    if (block2 !== undefined && block2.number > 0 && this.#sendKept(call)) return;
    if (block1 === undefined) {
      if (message.payload.byteLength > this.#layer.limits.bodyBytes)
        this.#refuse(exchange, refusal(call, tooLarge(this.#layer.limits.bodyBytes)));
      else this.#handle(call, message.payload, handler);
      return;
    }
    const outcome = this.#uploads.add(peer, message, block1, this.#layer.now());
    if (outcome.kind === "complete") this.#handle(call, outcome.body, handler);
    else if (outcome.kind === "refused") this.#refuse(exchange, refusal(call, outcome));
    else {
      const options = [blockOption(OptionNumber.Block1, outcome.block)];
      exchange.respond({ code: Code.Continue, options, payload: NO_BYTES });
    }
  }

  /** A later block of a response that was made before. False: make it again, which only GET allows (RFC 7959, section 2.4). */
  #sendKept(call: Call): boolean {
    const { exchange, method } = call;
    const key = transferKey(exchange.peer, exchange.message, "download");
    const kept = this.#downloads.find(key, this.#layer.now());
    if (kept !== undefined) this.#sendBlock(call, kept, key, false);
    else if (method === "GET") return false;
    else
      this.#refuse(
        exchange,
        diagnostic(Code.RequestEntityIncomplete, "the response is gone, ask from its first block"),
      );
    return true;
  }

  #handle(call: Call, payload: Uint8Array, handler: CoapHandler): void {
    let reply: CoapReply | Promise<CoapReply>;
    try {
      reply = handler(requestOf(call, payload));
    } catch (error) {
      this.#failed(call, error);
      return;
    }
    if (reply instanceof Promise) {
      reply.then((late) => this.#answer(call, late)).catch((error: unknown) => this.#failed(call, error));
    } else {
      this.#answer(call, reply);
    }
  }

  #failed(call: Call, error: unknown): void {
    const facts = { path: optionTexts(call.exchange.message.options, OptionNumber.UriPath), error };
    this.#log?.write("error", `CoAP: ${call.method} failed: ${String(error)}`, facts);
    this.#answer(call, this.#asOwn(diagnostic(Code.InternalServerError, "trouble inside")));
  }

  #answer(call: Call, reply: CoapReply): void {
    const { exchange, block1, block2 } = call;
    const response = responseTo(reply, block1);
    const asked = isSuccess(response.code) ? block2 : undefined; // whatever block was asked for, an error is told whole
    if (fitsInOneBlock(response.payload, asked, this.#layer.limits.blockExponent)) {
      exchange.respond(response);
      return;
    }
    this.#sendBlock(call, withETag(response), transferKey(exchange.peer, exchange.message, "download"), true);
  }

  /** One that `isNew` is kept for its other blocks, once it is known to have the one that was asked for. */
  #sendBlock(call: Call, response: ServerResponse, key: string, isNew: boolean): void {
    const { exchange, block2 } = call;
    const tellSize = optionValue(exchange.message.options, OptionNumber.Size2) !== undefined;
    const block = blockOf(response, block2, this.#layer.limits.blockExponent, tellSize);
    if (block === undefined) {
      this.#refuse(exchange, diagnostic(Code.BadRequest, `block ${block2?.number} is behind the end`));
      return;
    }
    if (isNew && !exchange.done) this.#downloads.keep(exchange.peer, key, withoutBlock1(response), this.#layer.now());
    if (!block.more) this.#downloads.readToEnd(key);
    exchange.respond(block.response);
  }

  /** An error with the options that all the server's own errors carry. */
  #asOwn(reply: CoapReply): CoapReply {
    const has = reply.options ?? [];
    const more = this.#errorOptions.filter(({ number }) => optionValue(has, number) === undefined);
    return { ...reply, options: [...has, ...more] };
  }

  #refuse(exchange: RequestExchange, reply: CoapReply): void {
    exchange.respond(responseTo(this.#asOwn(reply), undefined));
  }
}

const BUSY = diagnostic(Code.ServiceUnavailable, "too many requests at the same time", [
  uintOption(OptionNumber.MaxAge, 1),
]);

function requestOf({ exchange, method }: Call, payload: Uint8Array): CoapRequest {
  const { options }: CoapMessage = exchange.message;
  return {
    peer: exchange.peer.peer,
    method,
    path: optionTexts(options, OptionNumber.UriPath),
    query: optionTexts(options, OptionNumber.UriQuery),
    contentFormat: optionUint(options, OptionNumber.ContentFormat),
    accept: optionUint(options, OptionNumber.Accept),
    options,
    payload,
  };
}

/** The last Block1 is echoed with the final response: RFC 7959, section 2.5. */
function responseTo(reply: CoapReply, block1: Block | undefined): ServerResponse {
  const { code, payload = NO_BYTES, revocable } = reply;
  const options = [...(reply.options ?? [])];
  if (reply.contentFormat !== undefined) options.push(uintOption(OptionNumber.ContentFormat, reply.contentFormat));
  if (block1 !== undefined) options.push(blockOption(OptionNumber.Block1, block1));
  return { code, options, payload, revocable };
}

/** That option is of the request that is answered, not of those for later blocks. */
function withoutBlock1(response: ServerResponse): ServerResponse {
  return { ...response, options: response.options.filter((option) => option.number !== OptionNumber.Block1) };
}

function refusal({ block1 }: Call, { code, text, option }: UploadOutcome & { kind: "refused" }): CoapReply {
  const options = option === undefined ? [] : [option];
  if (block1 !== undefined) options.push(blockOption(OptionNumber.Block1, { ...block1, more: false }));
  return diagnostic(code, text, options);
}
