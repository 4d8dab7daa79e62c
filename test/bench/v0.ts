/**
 * What an attestation of API v0 takes beside its TPM: a token of profile compat asks the attester's server over UDP on the loopback, both in this
 * process, and the attester asks swtpm over its UNIX socket; from plugging the token in to its verdict. The commands that the TPM got meanwhile
 * are sent to it once more, one behind the other and nothing in between: that is the TPM's part. Both take turns.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { createV0Server, serveV0 } from "../../attester/flows/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { createTpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { openSwtpm } from "../../hw/tpm/swtpm.ts";
import { Reader } from "../../shared/bytes/index.ts";
import type { DatagramPort, Peer, TpmTransport } from "../../shared/ports/index.ts";
import { commandName, TpmRc } from "../../shared/tpm/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { COMPAT } from "../../token/domain/profile.ts";
import { createToken, type Token } from "../../token/token.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { isInstalled } from "../support/programs.ts";
import { startSwtpm } from "../support/swtpm.ts";
import { type Bench, type Figure, medianOf, type Opened, type Result } from "./bench.ts";
import { provision, SILENT } from "./prepared.ts";

const LOOPBACK = "127.0.0.1";
const ENV = { clock: realClock, random: systemRandom, log: SILENT };
const WHAT = "v0 attestation over swtpm, RSA-2048";
const ALONE = "its TPM commands alone";
const WHOLE = "plugged in to verdict";
const RESPONSE_CODE_AT = 6;

/** A transport that keeps the commands it was given since it was last told to begin. */
class Recorder implements TpmTransport {
  readonly #inner: TpmTransport;
  commands: Uint8Array[] = [];

  constructor(inner: TpmTransport) {
    this.#inner = inner;
  }

  send(command: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    this.commands.push(command);
    return this.#inner.send(command, signal);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** Sends commands anew; each has to succeed as it did. */
async function sendAgain(transport: TpmTransport, commands: readonly Uint8Array[]): Promise<void> {
  for (const command of commands) {
    const answer = await transport.send(command);
    if (new Reader(answer.subarray(RESPONSE_CODE_AT)).u32be() !== TpmRc.SUCCESS) throw new Error("refused this time");
  }
}

function compatToken(attester: Peer, ekRoot: Certificate): Token {
  const lamps = { show: () => undefined };
  const button = { onChange: () => () => undefined };
  const env = { ...ENV, flash: createRamFlash(), leds: lamps, button };
  const token = createToken(env, { api: "v0", profile: COMPAT, attester, ekRoots: [ekRoot] });
  provision(token.domain, new FakeOwner());
  return token;
}

/** Plugs the token in, until its verdict, which has to be green. It is plugged out behind that, when the time has been taken. */
function attestationsOf(token: Token, port: DatagramPort): () => Promise<void> {
  let pluggedOut: Promise<void> = Promise.resolve();
  return async () => {
    await pluggedOut;
    await new Promise<void>((resolve, reject) => {
      const ignore = token.onEvent((event) => {
        if (event.type === "attested") resolve();
        else if (event.type === "attestation-failed") reject(new Error(event.verdict.reason));
        else if (event.type === "platform-refused") reject(new Error(`${event.reason}: ${event.detail}`));
        else return;
        ignore();
        pluggedOut = afterwards(unplug);
      });
      const unplug = token.serve(port);
    });
  };
}

async function afterwards(run: () => void): Promise<void> {
  await setImmediate();
  run();
}

async function openOver(swtpm: TpmTransport): Promise<Opened> {
  const recorder = new Recorder(swtpm);
  const tpm = createTpmClient(recorder, ENV);
  await tpm.startUp({ own: true });
  const made = await tpm.turn((runner) =>
    manufactureTpm(runner, { random: systemRandom, today: Date.UTC(2026, 0, 1) }),
  );
  assert.ok(made.ok);
  const server = await createV0Server({ tpm, platform: APU2, profile: "compat", key: "rsa", log: SILENT });
  const attesterPort = await openUdpPort(LOOPBACK, 0);
  const endpoint = serveV0(server, { port: attesterPort, ...ENV });
  const tokenPort = await openUdpPort(LOOPBACK, 0);
  const token = compatToken(attesterPort.local, made.root);
  const attest = attestationsOf(token, tokenPort);
  await attest(); // the first time it is enrolled, too

  return {
    probes: [
      {
        what: WHAT,
        way: WHOLE,
        async run() {
          recorder.commands = [];
          await attest();
        },
      },
      { what: WHAT, way: ALONE, run: () => sendAgain(swtpm, recorder.commands) },
    ],
    figures,
    notes: () => [{ what: `its TPM commands: ${recorder.commands.map(nameOf).join(", ")}` }],
    async close() {
      token.stop();
      endpoint.close();
      await tokenPort.close();
      await attesterPort.close();
    },
  };
}

function nameOf(command: Uint8Array): string {
  return commandName(new Reader(command.subarray(RESPONSE_CODE_AT)).u32be());
}

function figures(results: readonly Result[]): readonly Figure[] {
  const value = medianOf(results, WHAT, WHOLE) / medianOf(results, WHAT, ALONE);
  return [{ figure: "v0 attestation over swtpm : its TPM commands alone", value, unit: "", goal: { atMost: 1.2 } }];
}

export const v0: Bench = {
  name: "v0",
  about: "an attestation of API v0 beside what its TPM commands take",
  iterations: 300,
  round: 1,
  async open() {
    if (!isInstalled("swtpm")) {
      return { probes: [], notes: () => [{ what: "swtpm is not installed" }], close: async () => undefined };
    }
    const swtpm = await startSwtpm({ arguments: ["--flags", "not-need-init,startup-clear"] });
    const transport = await openSwtpm(swtpm.data);
    const stop = async () => {
      await transport.close();
      await swtpm.stop();
    };
    try {
      const { close, ...opened } = await openOver(transport);
      return { ...opened, close: () => close().then(stop) };
    } catch (error) {
      await stop();
      throw error;
    }
  },
};
