import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTpmClient } from "../../../../attester/tpm/index.ts";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../../hw/tpm/emulator/index.ts";
import { openTpmServer, type TpmServer } from "../../../../hw/tpm/server/server.ts";
import type { StreamAddress } from "../../../../hw/tpm/stream-channel.ts";
import { openSwtpm } from "../../../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../../../hw/tpm/swtpm-control.ts";
import { toHex } from "../../../../shared/bytes/index.ts";
import { TpmAlg } from "../../../../shared/tpm/index.ts";
import { needs } from "../../../support/programs.ts";
import { seededRandom } from "../../../support/random.ts";
import { startSwtpm } from "../../../support/swtpm.ts";
import { Wire } from "./wire.ts";

const ANY = { host: "127.0.0.1", port: 0 };
const GET_RANDOM = "80010000000c0000017b0008";
const STARTUP = "80010000000c000001440000";

/** What the peer sends on which channel, and how much comes back; `whole` is a response. */
type Step = readonly [channel: "data" | "control", hex: string, answer: number | "whole", what: string];

/** Taken from swtpm 0.7.1, and compared with it below. */
const DIALOGUE: readonly Step[] = [
  ["data", GET_RANDOM, "whole", "a command without power"],
  ["control", "00000004", 4, "GET_TPMESTABLISHED without power"],
  ["control", "00000006", 4, "HASH_START without power"],
  ["control", "0000000b04", 4, "RESET_TPMESTABLISHED without power"],
  ["control", "0000000e", 4, "STOP without power"],
  ["control", "000000ff", 4, "an unknown control"],
  ["control", "0000000200000000", 4, "INIT"],
  ["data", GET_RANDOM, "whole", "a command before Startup"],
  ["control", "00000004", 8, "GET_TPMESTABLISHED before a launch"],
  ["data", STARTUP, "whole", "Startup"],
  ["control", "0000001100000400", 4, "SET_BUFFERSIZE of a running TPM"],
  ["control", "00000006", 4, "HASH_START"],
  ["control", "0000000700000004aabbccdd", 4, "HASH_DATA"],
  ["control", "0000000700000000", 4, "HASH_DATA of nothing"],
  ["control", "00000008", 4, "HASH_END"],
  ["control", "00000008", 4, "HASH_END without a start"],
  ["control", "0000000700000004aabbccdd", 4, "HASH_DATA without a start"],
  ["data", "8001000000140000017e00000001000b03000002", "whole", "PCR_Read of the launched PCR 17"],
  ["control", "00000004", 8, "GET_TPMESTABLISHED after a launch"],
  ["control", "0000000b01", 4, "RESET_TPMESTABLISHED at a locality that may not"],
  ["control", "00000004", 8, "GET_TPMESTABLISHED, still set"],
  ["control", "0000000200000001", 4, "INIT again"],
  ["control", "00000004", 8, "GET_TPMESTABLISHED, still set"],
  ["control", "0000000b03", 4, "RESET_TPMESTABLISHED"],
  ["control", "00000004", 8, "GET_TPMESTABLISHED, cleared"],
  ["control", "0000000505", 4, "SET_LOCALITY that there is none"],
  ["control", "0000000502", 4, "SET_LOCALITY"],
  ["data", STARTUP, "whole", "Startup at a locality that may not"],
  ["control", "0000000500", 4, "SET_LOCALITY"],
  ["data", STARTUP, "whole", "Startup"],
  [
    "data",
    `80020000003100000182000000110000000940000009000000000000000001000b${"55".repeat(16)}`,
    "whole",
    "a short Extend",
  ],
  ["control", "0000000e", 4, "STOP"],
  ["data", GET_RANDOM, "whole", "a command after STOP"],
];

async function run(data: StreamAddress, control: StreamAddress): Promise<readonly string[]> {
  const wires = { data: await Wire.open(data), control: await Wire.open(control) };
  const said: string[] = [];
  for (const [channel, hex, answer, what] of DIALOGUE) {
    const wire = wires[channel];
    wire.send(hex);
    said.push(`${what}: ${answer === "whole" ? await wire.response() : await wire.take(answer)}`);
  }
  await wires.data.close();
  await wires.control.close();
  return said;
}

/** pcrUpdateCounter counts each bank's extend, and swtpm has one bank more: SHA-512. */
const withoutCounter = (line: string) => line.replace(/^(PCR_Read.*: .{20}).{8}/, "$1");

describe("the emulator behind swtpm's sockets", () => {
  const open: TpmServer[] = [];
  const lines: string[] = [];
  const serve = async (at: { readonly data: StreamAddress; readonly control: StreamAddress }) => {
    const { board } = createTpmEmulator({ random: seededRandom(1, "server"), clock: new VirtualClock() });
    const log = { write: (_: string, line: string) => lines.push(line) };
    const server = await openTpmServer({ board, ...at, log });
    open.push(server);
    return server;
  };
  beforeEach(() => lines.splice(0));
  afterEach(() => Promise.all(open.splice(0).map((server) => server.close())));

  it("answers as swtpm, byte for byte, through power, launch, localities and the established bit", async function () {
    needs(this, "swtpm");
    const swtpm = await startSwtpm();
    const theirs = await run(swtpm.data, swtpm.control);
    await swtpm.stop();
    const server = await serve({ data: ANY, control: ANY });
    const ours = await run(server.data, server.control);
    assert.deepEqual(ours.map(withoutCounter), theirs.map(withoutCounter));
  });

  it("is a TPM for the client that swtpm has, over UNIX sockets too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fobnail-tpm-server-"));
    const { data, control } = await serve({ data: { path: join(folder, "d") }, control: { path: join(folder, "c") } });
    const transport = await openSwtpm(data);
    const platform = await openSwtpmControl(control);
    const client = createTpmClient(transport, { random: seededRandom(2, "client"), log: { write: () => undefined } });
    await client.startUp({ platform, own: true });
    await platform.hashSequence(new Uint8Array(10_000).fill(0x5a));
    const [bank] = await client.readPcrs([{ hash: TpmAlg.SHA256, pcrSelect: 1 << 17 }]);
    const launched = "554ca4e63fed0bf69e376ae97db85913d3464755597b319070b1c951cc41bffe";
    assert.equal(toHex(bank?.values[0] ?? new Uint8Array(0)), launched);
    await transport.close();
    await platform.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("takes a command in single bytes, two in one write, and one in an envelope with its locality, which stays", async () => {
    const { data, control } = await serve({ data: ANY, control: ANY });
    const chipset = await Wire.open(control);
    chipset.send("0000000200000000", 1);
    assert.equal(await chipset.take(4), "00000000");
    const wire = await Wire.open(data);
    wire.send(STARTUP, 1);
    assert.equal(await wire.response(), "80010000000a00000000");
    wire.send(GET_RANDOM + GET_RANDOM);
    for (const _ of [1, 2]) assert.match(await wire.response(), /^8001000000140000000000 ?08/);
    const extend20 = `80020000004100000182000000140000000940000009000000000000000001000b${"11".repeat(32)}`;
    wire.send(extend20);
    assert.equal(await wire.response(), "80010000000a00000907", "locality 0 may not");
    wire.send(`0000000802${"00000041"}${extend20}`);
    assert.equal(await wire.take(4), "00000013");
    assert.match(await wire.response(), /^8002000000130000000000000000/);
    assert.equal(await wire.take(4), "00000000");
    wire.send(extend20);
    assert.match(await wire.response(), /^800200000013/, "the locality stays");
    await wire.close();
    await chipset.close();
  });

  it("refuses what is no command, and goes on", async () => {
    const { data, control } = await serve({ data: ANY, control: ANY });
    const chipset = await Wire.open(control);
    chipset.send("0000000200000000");
    assert.equal(await chipset.take(4), "00000000");
    const wire = await Wire.open(data);
    wire.send(STARTUP);
    await wire.response();
    for (const [hex, rc] of [
      ["8001ffffffff0000017b0008", "00000142"],
      ["8001000000090000017b0008", "00000142"],
    ]) {
      wire.send(hex ?? "");
      assert.equal((await wire.response()).slice(12), rc, hex);
    }
    wire.send(GET_RANDOM);
    assert.match(await wire.response(), /^80010000001400000000/);
    await wire.close();
    await chipset.close();
  });

  it("closes the connection of a peer that lies about lengths or localities, says why, and serves the next", async () => {
    const { data, control } = await serve({ data: ANY, control: ANY });
    for (const [at, hex, why] of [
      [data, "0000000800ffffffff", /data channel: connection closed: .*a command of 4294967295 bytes/],
      [data, `00000008050000000c${GET_RANDOM}`, /there is no locality 5/],
      [control, "0000000700100001", /control channel: connection closed: .*a piece of 1048577 bytes/],
    ] as const) {
      const wire = await Wire.open(at);
      wire.send(hex);
      assert.equal(await wire.take(1), "closed");
      assert.match(lines.at(-1) ?? "", why);
    }
    const chipset = await Wire.open(control);
    chipset.send("00000001");
    assert.equal(await chipset.take(8), "00000000000024df");
    await chipset.close();
  });

  it("serves one client after the other, and turns away those for whom there is no room", async () => {
    const { control } = await serve({ data: ANY, control: ANY });
    const first = await Wire.open(control);
    first.send("00000001");
    await first.take(8);
    const waiting = [];
    for (let i = 0; i < 17; i++) waiting.push(await Wire.open(control));
    const [second, ...others] = waiting;
    assert.equal(await others.at(-1)?.take(1), "closed");
    second?.send("00000001");
    await first.close();
    assert.equal(await second?.take(8), "00000000000024df");
    for (const wire of waiting) await wire.close();
  });

  it("tells of SHUTDOWN after its answer", async () => {
    const server = await serve({ data: ANY, control: ANY });
    const chipset = await Wire.open(server.control);
    chipset.send("00000003");
    assert.equal(await chipset.take(4), "00000000");
    await server.shutdown;
  });

  it("says in a sentence that an address cannot be had", async () => {
    const { data } = await serve({ data: ANY, control: ANY });
    await assert.rejects(serve({ data, control: ANY }), /TCP port \d+ of 127\.0\.0\.1 is taken by another program/);
  });
});
