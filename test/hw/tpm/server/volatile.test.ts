/** STORE_VOLATILE: what power takes away goes on in the next process, as swtpm has it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { createTpmEmulator, openStateDirectory } from "../../../../hw/tpm/emulator/index.ts";
import { openTpmServer } from "../../../../hw/tpm/server/server.ts";
import type { StreamAddress } from "../../../../hw/tpm/stream-channel.ts";
import { encode, toHex } from "../../../../shared/bytes/index.ts";
import {
  aikRestrictedEcc,
  type CommandSpec,
  commands,
  encodeCommand,
  TpmAlg,
  TpmRh,
} from "../../../../shared/tpm/index.ts";
import { needs } from "../../../support/programs.ts";
import { seededRandom } from "../../../support/random.ts";
import { startSwtpm } from "../../../support/swtpm.ts";
import { Wire } from "./wire.ts";

const ANY = { host: "127.0.0.1", port: 0 };
const INIT = "0000000200000000";
const INIT_DELETE = "0000000200000001";
const STORE = "0000000a";
const ESTABLISHED = "00000004";
const STARTUP = "80010000000c000001440000";
const SHUTDOWN = "80010000000c000001450000";
const pcrRead = (mask: string) => `8001000000140000017e00000001000b03${mask}`;
const EXTEND_16 = `80020000004100000182000000100000000940000009000000000000000001000b${"11".repeat(32)}`;
const handles = (type: string) => `8001000000160000017a00000001${type}0000000a`;
const NONE = new Uint8Array(0);
const PASSWORD = { sessionHandle: TpmRh.PW, nonce: NONE, sessionAttributes: 0, hmac: NONE };
const command = <P, R>(
  { code, parameters }: CommandSpec<P, R>,
  handles: readonly number[],
  values: P,
  authorized = 0,
) =>
  toHex(
    encodeCommand({
      commandCode: code,
      handles,
      sessions: Array.from({ length: authorized }, () => PASSWORD),
      parameters: encode(parameters, values),
    }),
  );
const SESSION = command(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], {
  nonceCaller: new Uint8Array(16),
  encryptedSalt: NONE,
  sessionType: 0,
  symmetric: { algorithm: TpmAlg.NULL },
  authHash: TpmAlg.SHA256,
});
const PRIMARY = command(
  commands.CreatePrimary,
  [TpmRh.OWNER],
  { inSensitive: { userAuth: NONE, data: NONE }, inPublic: aikRestrictedEcc, outsideInfo: NONE, creationPCR: [] },
  1,
);
const SEQUENCE = "80010000000e000001860000000b";

/** `code`: the response's code is all that two TPMs have in common. */
type Answer = number | "whole" | "code";
type Step = readonly [channel: "data" | "control", hex: string, answer: Answer, what: string];

const BEFORE: readonly Step[] = [
  ["control", STORE, 4, "STORE_VOLATILE without power"],
  ["control", INIT, 4, "INIT"],
  ["control", STORE, 4, "STORE_VOLATILE before Startup"],
  ["control", INIT, 4, "INIT again"],
  ["data", STARTUP, "whole", "Startup"],
  ["control", "00000006", 4, "HASH_START"],
  ["control", "0000000700000004aabbccdd", 4, "HASH_DATA"],
  ["control", "00000008", 4, "HASH_END"],
  ["data", EXTEND_16, "whole", "an Extend"],
  ["data", SESSION, "code", "a session"],
  ["data", PRIMARY, "code", "a primary key"],
  ["control", STORE, 4, "STORE_VOLATILE"],
  ["data", EXTEND_16, "whole", "an Extend that nobody will know of"],
  ["data", SHUTDOWN, "whole", "Shutdown"],
];

const AFTER: readonly Step[] = [
  ["data", pcrRead("000002"), "whole", "a command before INIT"],
  ["control", INIT, 4, "INIT"],
  ["control", ESTABLISHED, 8, "GET_TPMESTABLISHED"],
  ["data", pcrRead("000002"), "whole", "PCR 17, launched"],
  ["data", pcrRead("000001"), "whole", "PCR 16, extended once"],
  ["data", STARTUP, "whole", "Startup of a TPM that goes on"],
  ["data", handles("80000000"), "whole", "objects"],
  ["data", handles("02000000"), "whole", "sessions"],
  ["data", "80010000000e0000017380000000", "code", "ReadPublic of the primary key"],
  ["data", EXTEND_16, "whole", "an Extend"],
  ["control", INIT, 4, "INIT again"],
  ["data", pcrRead("000001"), "whole", "PCR 16, as it was stored"],
  ["control", "0000000e", 4, "STOP"],
  ["control", STORE, 4, "STORE_VOLATILE after STOP"],
  ["control", INIT_DELETE, 4, "INIT that forgets"],
  ["control", INIT, 4, "INIT"], // swtpm 0.7 goes on once more at the INIT that forgets
  ["data", pcrRead("000002"), "whole", "a command before Startup"],
  ["data", STARTUP, "whole", "Startup"],
  ["data", pcrRead("000002"), "whole", "PCR 17, not launched"],
  ["data", handles("80000000"), "whole", "no objects"],
];

interface Served {
  readonly data: StreamAddress;
  readonly control: StreamAddress;
  stop(): Promise<void>;
}

async function talk({ data, control }: Served, dialogue: readonly Step[]): Promise<readonly string[]> {
  const wires = { data: await Wire.open(data), control: await Wire.open(control) };
  const said: string[] = [];
  for (const [channel, hex, answer, what] of dialogue) {
    const wire = wires[channel];
    wire.send(hex);
    said.push(`${what}: ${await heard(wire, answer)}`);
  }
  await wires.data.close();
  await wires.control.close();
  return said;
}

async function heard(wire: Wire, answer: Answer): Promise<string> {
  if (typeof answer === "number") return wire.take(answer);
  const response = await wire.response();
  return answer === "whole" ? response : response.slice(12, 20);
}

describe("STORE_VOLATILE", () => {
  let directory = "";
  const lines: string[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fobnail-volatile-"));
    lines.splice(0);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const serve = async (): Promise<Served> => {
    const state = openStateDirectory(directory);
    const { board, transport } = createTpmEmulator({ random: seededRandom(1), clock: new VirtualClock(), state });
    const log = { write: (_: string, line: string) => lines.push(line) };
    const server = await openTpmServer({ board, data: ANY, control: ANY, log });
    const stop = async () => {
      await server.close();
      await transport.close();
    };
    return { data: server.data, control: server.control, stop };
  };
  /** One process after the other on the same directory. */
  const told = async (open: () => Promise<Served>, ...dialogues: readonly (readonly Step[])[]) => {
    const said: string[] = [];
    for (const dialogue of dialogues) {
      const served = await open();
      said.push(...(await talk(served, dialogue)));
      await served.stop();
    }
    return said;
  };

  it("keeps PCRs, objects and sessions for each INIT until one deletes them, byte for byte as swtpm", async function () {
    needs(this, "swtpm");
    const theirs = mkdtempSync(join(tmpdir(), "fobnail-volatile-"));
    const expected = await told(() => startSwtpm({ directory: theirs }), BEFORE, AFTER);
    rmSync(theirs, { recursive: true });
    assert.deepEqual(await told(serve, BEFORE, AFTER), expected);
  });

  it("is in a file for its owner's eyes", async () => {
    await told(serve, BEFORE);
    assert.equal(statSync(join(directory, "tpm-volatile")).mode & 0o777, 0o600);
  });

  it("fails while something is hashed", async () => {
    const launch: readonly Step[] = [
      ["control", "00000006", 4, "HASH_START"],
      ["control", STORE, 4, "STORE_VOLATILE in a launch"],
      ["control", "00000008", 4, "HASH_END"],
    ];
    const said = await told(serve, [...BEFORE.slice(1, 5), ...launch, ["data", SEQUENCE, "code", "sequence"], launch[1] ?? assert.fail()]); // biome-ignore format: x
    assert.deepEqual(said.slice(-4), [
      "STORE_VOLATILE in a launch: 00000009",
      "HASH_END: 00000000",
      "sequence: 00000000",
      "STORE_VOLATILE in a launch: 00000009",
    ]);
  });

  it("that cannot be removed is said, and the server goes on", async () => {
    mkdirSync(join(directory, "tpm-volatile"));
    const said = await told(serve, [
      ["control", INIT_DELETE, 4, "INIT"],
      ["control", ESTABLISHED, 4, "no power"],
    ]);
    assert.deepEqual(said, ["INIT: 00000101", "no power: 0000000a"]);
    assert.match(lines.join("\n"), /tpm-volatile cannot be removed: /);
  });

  it("that was damaged is said, leaves the TPM without power, and can be deleted", async () => {
    await told(serve, BEFORE);
    const file = join(directory, "tpm-volatile");
    const bytes = new Uint8Array(readFileSync(file));
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const said = await told(serve, [
      ["control", INIT, 4, "INIT"],
      ["data", STARTUP, "code", "Startup"],
      ["control", INIT_DELETE, 4, "INIT that forgets"],
      ["data", STARTUP, "code", "Startup"],
    ]);
    assert.deepEqual(said, ["INIT: 00000101", "Startup: 00000101", "INIT that forgets: 00000000", "Startup: 00000000"]);
    assert.match(lines.join(), /tpm-volatile is damaged, or of another version \(tpm-volatile\.checksum/);
  });
});
