/** CoAP clients for V1Walk: ours, node's `coap` package, libcoap's program. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Agent } from "coap";
import { type CoapEndpoint, codeText, OptionNumber, optionTexts } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { libcoapRequest } from "./libcoap.ts";
import type { V1Ask } from "./v1-walk.ts";

/** Our own client; one session for each endpoint. */
export function askOver(endpoint: CoapEndpoint, token: Peer): V1Ask {
  return async ({ query, ...request }) => {
    const asked = { ...request, ...(query !== undefined && { query: [query] }) };
    const { code, payload, options } = await endpoint.request(token, asked);
    return { code: codeText(code), payload, location: optionTexts(options, OptionNumber.LocationPath).at(-1) };
  };
}

const BLOCK_EXPONENT = 5;
const BLOCK_BYTES = 512;

/** The `coap` package; blocks of 512 upward. `close` ends the session's port. */
export function nodeCoapAsk({ address, port }: Peer): { readonly ask: V1Ask; close(): void } {
  const socket = createSocket("udp4");
  const agent = new Agent({ socket });
  return {
    async ask({ method, path, query, payload, contentFormat }) {
      const request = agent.request({
        hostname: address,
        port,
        method,
        pathname: path,
        ...(query !== undefined && { query }),
        confirmable: true,
      });
      if (contentFormat !== undefined) request.setOption("Content-Format", contentFormat);
      if ((payload?.byteLength ?? 0) > BLOCK_BYTES) request.setOption("Block1", Buffer.of(BLOCK_EXPONENT));
      const answered = once(request, "response");
      request.end(Buffer.from(payload ?? []));
      const [response] = await answered;
      const places: { name: string; value: Buffer }[] = response.options;
      return {
        code: response.code,
        payload: new Uint8Array(response.payload),
        location: places.findLast(({ name }) => name === "Location-Path")?.value.toString(),
      };
    },
    close: () => socket.close(),
  };
}

/** libcoap's client: a process for each request, all from one port, so that they are one session. */
export function libcoapAsk(token: Peer, sourcePort: number, blockSize = 256): V1Ask {
  return async ({ method, path, query, payload, contentFormat }) => {
    const more = ["-p", String(sourcePort), "-b", String(blockSize), "-v", "7"];
    if (contentFormat !== undefined) more.push("-t", String(contentFormat));
    const asked = query === undefined ? path : `${path}?${query}`;
    const { body, text } = await libcoapRequest(token, method.toLowerCase(), asked, payload, ...more);
    const answers = [...text.matchAll(/\bc:([245]\.\d\d)\b/g)].map((match) => match[1] ?? "");
    const code = answers.at(-1) ?? "";
    return { code, payload: body, location: /Location-Path:(\d+)/.exec(text)?.[1] };
  };
}
