/** Node's `coap` package as a client that is told what to ask, and as the engine under the site. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Agent, type IncomingMessage, type OutgoingMessage } from "coap";
import {
  type CoapHandler,
  type CoapOption,
  ContentFormat,
  codeText,
  type Method,
  OptionNumber,
  optionTexts,
  optionUint,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { XML } from "./site.ts";
import type { Client } from "./udp.ts";

/** The package knows options by name. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [OptionNumber.IfMatch, "If-Match"],
  [OptionNumber.ETag, "ETag"],
  [OptionNumber.IfNoneMatch, "If-None-Match"],
  [OptionNumber.LocationPath, "Location-Path"],
  [OptionNumber.UriPath, "Uri-Path"],
  [OptionNumber.ContentFormat, "Content-Format"],
  [OptionNumber.MaxAge, "Max-Age"],
  [OptionNumber.UriQuery, "Uri-Query"],
  [OptionNumber.Accept, "Accept"],
  [OptionNumber.LocationQuery, "Location-Query"],
]);

interface Settable {
  setOption(name: string, value: Buffer | Buffer[]): unknown;
}

function setOptions(message: Settable, options: readonly CoapOption[]): void {
  for (const number of new Set(options.map((option) => option.number))) {
    const values = options.filter((option) => option.number === number).map(({ value }) => Buffer.from(value));
    message.setOption(NAMES.get(number) ?? assert.fail(`option ${number}`), values);
  }
}

const METHODS: readonly Method[] = ["GET", "POST", "PUT", "DELETE"];

const NUMBERS = new Map([...NAMES].map(([number, name]) => [name, number]));
const FORMATS = new Map([
  ["text/plain", ContentFormat.Text],
  ["application/xml", XML],
  ["application/octet-stream", ContentFormat.OctetStream],
]);

/** Back to bytes: the package gives formats as names and an ETag as text. */
function optionOf(name: string, value: unknown): readonly CoapOption[] {
  const number = NUMBERS.get(name);
  if (number === undefined) return [];
  if (value instanceof Uint8Array) return [{ number, value: new Uint8Array(value) }];
  const format = FORMATS.get(String(value));
  return [format === undefined ? textOption(number, String(value)) : uintOption(number, format)];
}

/** Answers with what `site` says. */
export async function answerNodeCoap(
  site: CoapHandler,
  request: IncomingMessage,
  response: OutgoingMessage,
): Promise<void> {
  const options = (request._packet.options ?? []).flatMap(({ name, value }) => optionOf(String(name), value));
  const reply = await site({
    peer: { address: request.rsinfo.address, port: request.rsinfo.port },
    method: METHODS.find((method) => method === request.method) ?? assert.fail(`method ${request.method}`),
    path: optionTexts(options, OptionNumber.UriPath),
    query: optionTexts(options, OptionNumber.UriQuery),
    contentFormat: optionUint(options, OptionNumber.ContentFormat),
    accept: optionUint(options, OptionNumber.Accept),
    options,
    payload: new Uint8Array(request.payload),
  });
  response.code = codeText(reply.code);
  setOptions(response, reply.options ?? []);
  if (reply.contentFormat !== undefined) response.setOption("Content-Format", reply.contentFormat);
  response.end(Buffer.from(reply.payload ?? []));
}

export async function nodeCoapClient(): Promise<Client> {
  const socket = createSocket("udp4");
  const agent = new Agent({ socket });
  return {
    stays: true,
    async ask({ method, path, query, payload, confirmable = true, contentFormat, accept, options, blockSize }, to) {
      const request = agent.request({
        hostname: to.address,
        port: to.port,
        method,
        pathname: path,
        ...(query !== undefined && { query: query.join("&") }),
        confirmable,
      });
      if (contentFormat !== undefined) request.setOption("Content-Format", contentFormat);
      if (accept !== undefined) request.setOption("Accept", accept);
      setOptions(request, options ?? []);
      const exponent = blockSize === undefined ? undefined : Math.log2(blockSize) - 4;
      if (exponent !== undefined) request.setOption(payload === undefined ? "Block2" : "Block1", Buffer.of(exponent));
      const answered = once(request, "response");
      request.end(Buffer.from(payload ?? []));
      const [response] = await answered;
      return new Uint8Array(response.payload);
    },
    ping: async () => assert.fail("the package has no ping"),
    async close() {
      socket.close();
    },
  };
}
