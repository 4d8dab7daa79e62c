import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { runProgram } from "../../attester/cli/exit.ts";
import {
  Code,
  decodeMessage,
  encodeMessage,
  MessageType,
  NO_BYTES,
  OptionNumber,
  optionUint,
} from "../../shared/coap/index.ts";
import { LIBCOAP_SERVER } from "../support/libcoap.ts";
import { needs } from "../support/programs.ts";
import { benchCommand } from "./cli.ts";
import { getScript, putScript, RawClient } from "./coap-client.ts";

async function bench(...args: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (line: string) => void lines.push(line);
  try {
    assert.equal(await runProgram(benchCommand(), args), 0, lines.join("\n"));
  } finally {
    console.log = log;
  }
  return lines.map((line): Record<string, unknown> => JSON.parse(line));
}

describe("bench coap", () => {
  it("asks libcoap, our endpoint, bare sockets and node's coap the same, and compares them", async function () {
    this.timeout(60_000);
    needs(this, LIBCOAP_SERVER);
    const results = await bench("coap", "--iterations", "1", "--warm-up", "0", "--json");
    const measured = results.filter(({ medianMs }) => Number(medianMs) > 0);
    assert.deepEqual(
      measured.map(({ way }) => way),
      Array.from({ length: 4 }, () => ["libcoap", "fobnail", "bare dgram", "node coap"]).flat(),
    );
    const figures = results.filter(({ figure }) => figure !== undefined);
    assert.equal(figures.length, 6);
    for (const { value } of figures) assert.ok(Number(value) > 0);
    const notes = results.slice(measured.length + figures.length);
    assert.equal(notes.length, 4);
  });

  it("its client counts exchanges, each block a message with an id of its own, and fails at an error", async () => {
    const server = createSocket("udp4");
    server.bind(0, "127.0.0.1");
    await once(server, "listening");
    const ids: number[] = [];
    const blocks: (number | undefined)[] = [];
    let code: number = Code.Changed;
    server.on("message", (datagram, { port }) => {
      const { messageId, coapToken, options } = decodeMessage(datagram);
      ids.push(messageId);
      blocks.push(optionUint(options, OptionNumber.Block1));
      server.send(
        encodeMessage({ type: MessageType.Ack, code, messageId, coapToken, options: [], payload: NO_BYTES }),
        port,
      );
    });
    const client = await RawClient.open(server.address().port);
    await client.run([putScript("a", new Uint8Array(2_500))], 2);
    assert.deepEqual(blocks, [0x0e, 0x1e, 0x26, 0x0e, 0x1e, 0x26]);
    await client.run([getScript(), getScript(), getScript()], 7);
    assert.equal(new Set(ids).size, 6 + 7);
    code = Code.NotFound;
    await assert.rejects(client.run([getScript()], 1), /datagram 0: 4\.04/);
    client.close();
    server.close();
  });
});
