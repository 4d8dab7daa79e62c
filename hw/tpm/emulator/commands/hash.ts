import { createDigest, digest } from "../../../../shared/crypto/index.ts";
import { commands, TpmAlg, TpmRc } from "../../../../shared/tpm/index.ts";
import { objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import type { HashSequence } from "../object.ts";
import { handle as blameHandle, refuse } from "../refusal.ts";
import { hashcheckTicket, startsLikeAttestation } from "../ticket.ts";
import { checkHash, checkHierarchy } from "./checks.ts";

/** Part 3, 15 to 17: hashing in one command or in a sequence, and random numbers. */

/** What a ticket depends on: TPM_GENERATED_VALUE is that long. */
const HEAD_BYTES = 4;
/** The largest digest: TPM2_GetRandom gives no more at once. */
const MAX_RANDOM = 64;

const hash = handler(commands.Hash, {}, ({ tpm, parameters: { data, hashAlg, hierarchy } }) => {
  const alg = checkHash(hashAlg, 2);
  checkHierarchy(tpm, hierarchy, 3);
  const outHash = digest(alg, data);
  return {
    response: { outHash, validation: hashcheckTicket(tpm, hierarchy, alg, outHash, !startsLikeAttestation(data)) },
  };
});

const start = handler(commands.HashSequenceStart, {}, ({ tpm, parameters: { auth, hashAlg } }) => {
  // TPM_ALG_NULL starts an event sequence for all banks, which only EventSequenceComplete ends.
  const alg = hashAlg === TpmAlg.NULL ? undefined : checkHash(hashAlg, 2);
  if (tpm.ram.objects.free < 1) refuse(TpmRc.OBJECT_MEMORY);
  const handle = tpm.ram.objects.insert({
    kind: "sequence",
    auth: auth.slice(),
    alg,
    hash: alg === undefined ? undefined : createDigest(alg),
    ticketSafe: undefined,
  });
  return { handle, response: {} };
});

const update = handler(commands.SequenceUpdate, { handles: ["object"] }, ({ tpm, handle, parameters: { buffer } }) => {
  append(sequenceAt(tpm, handle(0)), buffer);
  return { response: {} };
});

const complete = handler(
  commands.SequenceComplete,
  { handles: ["object"], flushed: true },
  ({ tpm, handle, parameters: { buffer, hierarchy } }) => {
    checkHierarchy(tpm, hierarchy, 2);
    const sequence = sequenceAt(tpm, handle(0));
    if (sequence.alg === undefined || sequence.hash === undefined) refuse(TpmRc.MODE, blameHandle(1));
    append(sequence, buffer);
    const result = sequence.hash.finish();
    tpm.ram.objects.removeLater(handle(0));
    return {
      response: {
        result,
        validation: hashcheckTicket(tpm, hierarchy, sequence.alg, result, sequence.ticketSafe === true),
      },
    };
  },
);

function sequenceAt(tpm: Machine, handle: number): HashSequence {
  const object = objectAt(tpm, handle);
  return object.kind === "sequence" ? object : refuse(TpmRc.MODE, blameHandle(1));
}

function append(sequence: HashSequence, data: Uint8Array): void {
  sequence.hash?.update(data);
  // A first piece too short to tell is not safe: Part 3, 17.5.1.
  sequence.ticketSafe ??= data.byteLength >= HEAD_BYTES && !startsLikeAttestation(data);
}

const getRandom = handler(commands.GetRandom, {}, ({ tpm, parameters: { bytesRequested } }) => ({
  response: { randomBytes: tpm.random.bytes(Math.min(bytesRequested, MAX_RANDOM)) },
}));

export const hashCommands = [hash, start, update, complete, getRandom] as const;
