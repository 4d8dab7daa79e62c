import { createDigest, type HashName } from "../../../../shared/crypto/index.ts";
import { commands, hashAlgOf, TpmAlg, TpmRc, TpmRh, tpmtHa } from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import { createHmac } from "../keyed-hash.ts";
import type { Machine } from "../machine.ts";
import { type HashSequence, sensitiveOf } from "../object.ts";
import { PCR_BANKS } from "../pcr.ts";
import { handle as blameHandle, refuse } from "../refusal.ts";
import { hashcheckTicket, startsLikeAttestation } from "../ticket.ts";
import { hashOf, hmacKeyAt, isHashOrNull, isHierarchy, isMacScheme } from "./checks.ts";
import { extendEvent, prepareExtend } from "./pcr.ts";

/** Part 3, 17: sequences. */

/** What a ticket depends on: TPM_GENERATED_VALUE is that long. */
const HEAD_BYTES = 4;

type Hashes = HashSequence["hashes"];

function insert(tpm: Machine, mode: HashSequence["mode"], auth: Uint8Array, hashes: () => Hashes): number {
  if (tpm.ram.objects.free < 1) refuse(TpmRc.OBJECT_MEMORY);
  return tpm.ram.objects.insert({
    kind: "sequence",
    mode,
    auth: auth.slice(),
    hashes: hashes(),
    ticketSafe: undefined,
  });
}

const running = (alg: HashName) => ({ alg, hash: createDigest(alg) });

/** TPM_ALG_NULL starts an event sequence for all banks, which only EventSequenceComplete ends. */
const start = handler(
  commands.HashSequenceStart,
  { values: { hashAlg: isHashOrNull } },
  ({ tpm, parameters: { auth, hashAlg } }) => {
    if (hashAlg === TpmAlg.NULL)
      return { handle: insert(tpm, "event", auth, () => PCR_BANKS.map(running)), response: {} };
    const alg = hashOf(hashAlg);
    return { handle: insert(tpm, "hash", auth, () => [running(alg)]), response: {} };
  },
);

const hmacStart = handler(
  commands.HMAC_Start,
  { handles: ["object"], values: { hashAlg: isMacScheme } },
  ({ tpm, handle, parameters: { auth, hashAlg } }) => {
    const { key, alg } = hmacKeyAt(tpm, handle(0), hashAlg);
    const made = insert(tpm, "hmac", auth, () => [{ alg, hash: createHmac(alg, sensitiveOf(key).sensitive) }]);
    return { handle: made, response: {} };
  },
);

const update = handler(commands.SequenceUpdate, { handles: ["object"] }, ({ tpm, handle, parameters: { buffer } }) => {
  append(sequenceAt(tpm, handle(0), 1), buffer);
  return { response: {} };
});

const complete = handler(
  commands.SequenceComplete,
  { handles: ["object"], flushed: true, values: { hierarchy: isHierarchy } },
  ({ tpm, handle, parameters: { buffer, hierarchy } }) => {
    const sequence = sequenceAt(tpm, handle(0), 1);
    const [only] = sequence.hashes;
    if (sequence.mode === "event" || only === undefined) refuse(TpmRc.MODE, blameHandle(1));
    append(sequence, buffer);
    const result = only.hash.finish();
    tpm.ram.objects.removeLater(handle(0));
    const safe = sequence.mode === "hash" && sequence.ticketSafe === true;
    return { response: { result, validation: hashcheckTicket(tpm, hierarchy, only.alg, result, safe) } };
  },
);

const eventComplete = handler(
  commands.EventSequenceComplete,
  { handles: ["pcr+", "object"], nv: true, flushed: true },
  ({ tpm, handle, parameters: { buffer } }) => {
    const sequence = sequenceAt(tpm, handle(1), 2);
    if (sequence.mode !== "event") refuse(TpmRc.MODE, blameHandle(2));
    if (handle(0) !== TpmRh.NULL) prepareExtend(tpm, handle(0));
    append(sequence, buffer);
    const results = sequence.hashes.map(({ alg, hash }) => tpmtHa(hashAlgOf(alg), hash.finish()));
    if (handle(0) !== TpmRh.NULL) extendEvent(tpm, handle(0), results);
    tpm.ram.objects.removeLater(handle(1));
    return { response: { results } };
  },
);

function sequenceAt(tpm: Machine, handle: number, n: number): HashSequence {
  const object = objectAt(tpm, handle);
  return object.kind === "sequence" ? object : refuse(TpmRc.MODE, blameHandle(n));
}

function append(sequence: HashSequence, data: Uint8Array): void {
  for (const { hash } of sequence.hashes) hash.update(data);
  // A first piece too short to tell is not safe: Part 3, 17.5.1.
  sequence.ticketSafe ??= data.byteLength >= HEAD_BYTES && !startsLikeAttestation(data);
}

export const sequenceCommands = [start, hmacStart, update, complete, eventComplete] as const;
