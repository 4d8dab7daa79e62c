/** What the TPM emulator's commands cost beside swtpm's: over the same sockets, and in this process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKey, createTpmClient, type TpmClient, type TpmKey, usingPrimary } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { StreamChannel } from "../../hw/tpm/stream-channel.ts";
import { openSwtpm } from "../../hw/tpm/swtpm.ts";
import { decode } from "../../shared/bytes/index.ts";
import type { TpmTransport } from "../../shared/ports/index.ts";
import {
  aikRestrictedEcc,
  aikRestrictedRsa,
  commands,
  ekEcc,
  ekRsa,
  makeCredential,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  TpmAlg,
  TpmaObjectBit,
  TpmRh,
  type TpmtPublic,
} from "../../shared/tpm/index.ts";
import { Process } from "../support/process.ts";
import { isInstalled } from "../support/programs.ts";
import { type ServedTpm, serveEmulator } from "../support/served-tpm.ts";
import { startSwtpm } from "../support/swtpm.ts";
import { type Bench, type Figure, medianOf, type Probe, type Result } from "./bench.ts";

const ENV = { random: systemRandom, clock: realClock, log: { write: () => undefined } };
const NONE = new Uint8Array(0);
const NONCE = new Uint8Array(32).fill(0x5a);
const DATA = new Uint8Array(64).fill(0xa5);
const SELECTION = [{ hash: TpmAlg.SHA256, pcrSelect: 0x0600ff }];
const FREE_PCR = 16;

const SWTPM = "swtpm, UNIX socket";
const SERVED = "emulator, UNIX socket";
const EMBEDDED = "emulator, this process";
/** What no program in Node that is asked over a socket can be faster than, whatever it is asked. */
const FLOOR = { what: "32 bytes there and back", way: "Node, UNIX socket" };
const ECHO = `require("node:net").createServer((socket) => socket.pipe(socket)).listen(process.argv[1], () => console.log("ready"))`;
/** What takes microseconds is measured so many times in a row. */
const SERIES = 100;
/** Those that a goal is set for. */
const COMPARED = [
  "Quote, RSA-2048",
  "ActivateCredential and its session, RSA-2048",
  `PCR_Extend, ${SERIES} times`,
  `PCR_Read of 8 registers, ${SERIES} times`,
];

interface Way {
  readonly way: string;
  readonly client: TpmClient;
  close(): Promise<void>;
}

async function overSocket(way: string, served: Pick<ServedTpm, "data" | "stop">): Promise<Way> {
  const transport = await openSwtpm(served.data);
  const close = async () => {
    await transport.close();
    await served.stop();
  };
  return { way, client: await started(transport), close };
}

async function bySwtpm(): Promise<Way> {
  return overSocket(SWTPM, await startSwtpm({ arguments: ["--flags", "not-need-init,startup-clear"] }));
}

async function byServer(): Promise<Way> {
  return overSocket(SERVED, await serveEmulator());
}

async function inProcess(): Promise<Way> {
  const { transport, platform } = createTpmEmulator(ENV);
  await platform.power("on");
  return { way: EMBEDDED, client: await started(transport), close: () => transport.close() };
}

async function started(transport: TpmTransport): Promise<TpmClient> {
  const client = createTpmClient(transport, ENV);
  await client.startUp({ own: true });
  return client;
}

type Run = () => Promise<unknown>;

/** A restricted decryption key on P-256, as parents are. */
const PARENT: TpmtPublic = {
  ...ekEcc,
  authPolicy: NONE,
  objectAttributes: ekEcc.objectAttributes ^ (TpmaObjectBit.ADMIN_WITH_POLICY | TpmaObjectBit.USER_WITH_AUTH),
};

/** What is measured at one TPM: the same things in the same order at each. */
async function thingsAt(client: TpmClient): Promise<ReadonlyMap<string, Run>> {
  const [ek, ekOnCurve] = [await client.ensureEk("rsa"), await client.ensureEk("ecc")];
  const [rsa, ecc] = [await client.ensureAik("reference", ek), await client.ensureAik("restricted-ecc", ek)];
  const parent = await client.turn((tpm) => tpm.run(commands.CreatePrimary, { handles: [TpmRh.OWNER], parameters: { inSensitive: { userAuth: NONE, data: NONE }, inPublic: PARENT, outsideInfo: NONE, creationPCR: [] } })); // biome-ignore format: one command
  const create = (template: TpmtPublic) => () => client.turn((tpm) => createKey(tpm, parent.handle, template));
  const primary = (template: () => TpmtPublic) => () =>
    client.turn((tpm) => usingPrimary(tpm, TpmRh.ENDORSEMENT, template(), async () => undefined));
  const anew = (): TpmtPublic => ({ ...ekEcc, unique: { x: systemRandom.bytes(32), y: systemRandom.bytes(32) } });
  return new Map<string, Run>([
    ["CreatePrimary, RSA-2048, the same again", primary(() => ekRsa)],
    ["CreatePrimary, P-256, a new one", primary(anew)],
    ["Create, RSA-2048", create(aikRestrictedRsa)],
    ["Create, P-256", create(aikRestrictedEcc)],
    ["ActivateCredential and its session, RSA-2048", activation(client, ek, ecc)],
    ["ActivateCredential and its session, P-256", activation(client, ekOnCurve, ecc)],
    ["Quote, RSA-2048", () => client.quote(rsa, NONCE, SELECTION)],
    ["Quote, P-256", () => client.quote(ecc, NONCE, SELECTION)],
    ["Sign, RSA-2048", () => client.sign(rsa, DATA)],
    [`PCR_Extend, ${SERIES} times`, series(() => client.extend(FREE_PCR, [{ hash: TpmAlg.SHA256, digest: NONCE }]))],
    [
      `PCR_Read of 8 registers, ${SERIES} times`,
      series(() => client.readPcrs([{ hash: TpmAlg.SHA256, pcrSelect: 0xff }])),
    ],
  ]);
}

function series(run: Run): Run {
  return async () => {
    for (let i = 0; i < SERIES; i++) await run();
  };
}

function activation(client: TpmClient, ek: TpmKey, aik: TpmKey): Run {
  const made = makeCredential(ek.publicArea, aik.name, NONCE, systemRandom);
  if (made === undefined) throw new Error("no credential for this EK");
  const idObject = decode(Tpm2bIdObject, made.idObject);
  const encSecret = decode(Tpm2bEncryptedSecret, made.encSecret);
  return () => client.activateCredential(ek, aik, idObject, encSecret);
}

/** Each thing at all ways, one behind the other. */
async function probesOf(ways: readonly Way[]): Promise<readonly Probe[]> {
  const probes = new Map<string, Probe[]>();
  for (const { way, client } of ways) {
    for (const [what, run] of await thingsAt(client)) {
      const probe: Probe = { what, way, run: async () => void (await run()) };
      probes.set(what, [...(probes.get(what) ?? []), probe]);
    }
  }
  return [...probes.values()].flat();
}

/** A program that sends back what it gets, asked by the same client as the TPMs. */
async function bareSocket(): Promise<{ readonly probe: Probe; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "fobnail-echo-"));
  const path = join(folder, "echo");
  const server = new Process([], { command: [process.execPath, "--eval", ECHO, path] });
  const channel = new StreamChannel({ path });
  const close = async () => {
    await channel.close();
    await server.kill();
    rmSync(folder, { recursive: true });
  };
  try {
    await server.line(/ready/);
  } catch (error) {
    await close();
    throw error;
  }
  const run = async () => void (await channel.exchange(NONCE, () => NONCE.byteLength));
  return { probe: { ...FLOOR, run }, close };
}

/** `--tpm emulator` is the emulator in the process that asks it; the same behind swtpm's socket is told beside it. */
function figuresOf(results: readonly Result[]): readonly Figure[] {
  return [EMBEDDED, SERVED].flatMap((way) =>
    COMPARED.map((what) => ({
      figure: `${what}: ${way} : swtpm`,
      value: medianOf(results, what, way) / medianOf(results, what, SWTPM),
      unit: "",
      goal: { atMost: 0.5 },
    })),
  );
}

export const tpm: Bench = {
  name: "tpm",
  about: "commands of the TPM emulator beside swtpm's, over the same sockets and in this process",
  iterations: 40,
  async open() {
    const ways: Way[] = [];
    const bare = await bareSocket();
    const close = async () => {
      for (const way of [bare, ...ways]) await way.close();
    };
    try {
      if (isInstalled("swtpm")) ways.push(await bySwtpm());
      ways.push(await byServer(), await inProcess());
      const without = { what: "swtpm is not installed: the emulator stands alone" };
      const probes = [...(await probesOf(ways)), bare.probe];
      if (!isInstalled("swtpm")) return { probes, notes: () => [without], close };
      return { probes, figures: figuresOf, close };
    } catch (error) {
      await close();
      throw error;
    }
  },
};
