/**
 * How many full attestations of API v1 a token takes a second: nonce, metadata and evidence, each asked by CoAP, with profile strict, AIK
 * RSA-2048, and a storage in memory.
 *
 * Alone: what the platform sends was recorded with a token of the same flash and the same seeded randomness, which asked for the same nonces. So only
 * the token works while the time is taken, and every answer is compared with the recorded one. Eight ports in turn, a session each. The clock
 * stands still: no session ends.
 *
 * Over UDP: the same datagrams through sockets of the loopback, one on its way at a time. The client that sends them and compares the answers
 * is in the same thread, and in the figure.
 *
 * With the TPM: attester, TPM emulator and token in this process, over datagrams in memory; beside it what cannot be left out: two signatures
 * made (metadata and quote) and verified by OpenSSL.
 *
 * All of it is counted in time of the processor, all threads of the process together.
 */
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { seededRandom } from "../support/random.ts";
import type { Bench, Figure } from "./bench.ts";
import { type Machine, machineWithTpm } from "./machine.ts";
import { directToken, type Enrolled, type Exchange, enrolled, recorderOf, type TokenParts } from "./prepared.ts";
import { type OnProcessor, onProcessor } from "./processor.ts";
import { type Player, playDirectly, playOverUdp } from "./replay.ts";

const BATCH = 100;
const BATCHES = 10;
const PORTS = 8;
const TOKENS_SHARE = `${BATCH} v1 attestations, RSA-2048`;
const SIGNED = 50;
const WITH_TPM = `${SIGNED} v1 attestations with their TPM, RSA-2048`;
const BARE = "sign and verify, twice each";
const ALL = "attester, TPM emulator and token";

function partsFor({ image }: Enrolled): TokenParts {
  return {
    flash: createRamFlash(STICK_GEOMETRY, image),
    random: seededRandom(1, "token"),
    clock: new VirtualClock(),
  };
}

function recorded(known: Enrolled): readonly (readonly Exchange[])[] {
  const token = directToken(partsFor(known));
  const record = recorderOf(known.computer, token, PORTS);
  const batches = Array.from({ length: BATCHES }, () => record(BATCH));
  token.stop();
  return batches;
}

/** One batch after the other; behind the last, a new token begins with the first. */
function played(way: string, batches: readonly (readonly Exchange[])[], open: () => Promise<Player>) {
  let player: Player | undefined;
  let next = 0;
  const run = async () => {
    if (player === undefined || next === batches.length) {
      await player?.close();
      player = await open();
      next = 0;
    }
    await player.play(batches[next++] ?? []);
  };
  return { ...onProcessor({ what: TOKENS_SHARE, way, run }), close: async () => player?.close() };
}

function bareOnes(): OnProcessor {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const message = new Uint8Array(180).fill(0x5a);
  const run = async () => {
    for (let i = 0; i < 2 * SIGNED; i++) {
      if (!verify("sha256", message, publicKey, sign("sha256", message, privateKey))) throw new Error("not verified");
    }
  };
  return onProcessor({ what: WITH_TPM, way: BARE, run });
}

function wholeOnes({ attester }: Machine): OnProcessor {
  const run = async () => {
    for (let i = 0; i < SIGNED; i++) {
      const outcome = await attester.attest();
      if (!outcome.ok) throw new Error(outcome.detail);
    }
  };
  return onProcessor({ what: WITH_TPM, way: ALL, run });
}

function figuresOf([direct = 0, udp = 0, bare = 0, whole = 0]: readonly number[]): readonly Figure[] {
  const rate = (batchMs: number) => (1_000 * BATCH) / batchMs;
  return [
    { figure: "v1 attestations, token alone", value: rate(direct), unit: "/s", goal: { atLeast: 10_000 } },
    { figure: "v1 attestations over UDP, token and client", value: rate(udp), unit: "/s", goal: { atLeast: 4_000 } },
    {
      figure: "v1 attestations with their TPM : bare sign and verify",
      value: bare / whole,
      unit: "",
      goal: { atLeast: 0.7 },
    },
  ];
}

export const attest: Bench = {
  name: "attest",
  about: "full attestations of API v1: the token alone, over UDP, and with attester and TPM",
  iterations: 50,
  round: 5,
  async open() {
    const known = enrolled();
    const batches = recorded(known);
    const direct = played("token alone, in memory", batches, async () => playDirectly(directToken(partsFor(known))));
    const udp = played("token and client over UDP", batches, () => playOverUdp(partsFor(known)));
    const machine = await machineWithTpm();
    const whole = wholeOnes(machine);
    const bare = bareOnes();
    return {
      probes: [direct, udp, bare, whole].map(({ probe }) => probe),
      figures: (results) => figuresOf([direct, udp, bare, whole].map((measured) => measured.medianMs(results))),
      async close() {
        await direct.close();
        await udp.close();
        await machine.close();
      },
    };
  },
};
