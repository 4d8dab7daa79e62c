/** libcoap's client program: a process for each request. */
import assert from "node:assert/strict";
import { toHex } from "../../../shared/bytes/index.ts";
import { libcoapRequest } from "../../support/libcoap.ts";
import type { Ask } from "./scene.ts";
import type { Client } from "./udp.ts";

export async function libcoapClient(): Promise<Client> {
  return {
    stays: false,
    async ask(request, to) {
      const { method, path, query, payload } = request;
      const asked = query === undefined ? path : `${path}?${query.join("&")}`;
      return (await libcoapRequest(to, method.toLowerCase(), asked, payload, ...flagsOf(request))).body;
    },
    ping: async () => assert.fail("the program sends no ping on demand"),
    close: async () => undefined,
  };
}

function flagsOf({ confirmable, contentFormat, accept, blockSize, options = [] }: Ask): readonly string[] {
  return [
    ...(confirmable === false ? ["-N"] : []),
    ...(contentFormat === undefined ? [] : ["-t", String(contentFormat)]),
    ...(accept === undefined ? [] : ["-A", String(accept)]),
    ...(blockSize === undefined ? [] : ["-b", String(blockSize)]),
    ...options.flatMap(({ number, value }) => ["-O", `${number},${value.byteLength === 0 ? "" : `0x${toHex(value)}`}`]),
  ];
}
