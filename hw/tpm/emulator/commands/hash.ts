import { digest } from "../../../../shared/crypto/index.ts";
import { commands } from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import { createHmac } from "../keyed-hash.ts";
import { sensitiveOf } from "../object.ts";
import { hashcheckTicket, startsLikeAttestation } from "../ticket.ts";
import { hashOf, hmacKeyAt, isHash, isHierarchy, isMacScheme } from "./checks.ts";

/** Part 3, 15 and 16: hashing in one command, and random numbers. */

/** The largest digest: TPM2_GetRandom gives no more at once. */
const MAX_RANDOM = 64;

const hash = handler(
  commands.Hash,
  { values: { hashAlg: isHash, hierarchy: isHierarchy } },
  ({ tpm, parameters: { data, hashAlg, hierarchy } }) => {
    const alg = hashOf(hashAlg);
    const outHash = digest(alg, data);
    return {
      response: { outHash, validation: hashcheckTicket(tpm, hierarchy, alg, outHash, !startsLikeAttestation(data)) },
    };
  },
);

const hmac = handler(
  commands.HMAC,
  { handles: ["object"], values: { hashAlg: isMacScheme } },
  ({ tpm, handle, parameters: { buffer, hashAlg } }) => {
    const { key, alg } = hmacKeyAt(tpm, handle(0), hashAlg);
    const running = createHmac(alg, sensitiveOf(key).sensitive);
    running.update(buffer);
    return { response: { outHMAC: running.finish() } };
  },
);

const getRandom = handler(commands.GetRandom, {}, ({ tpm, parameters: { bytesRequested } }) => ({
  response: { randomBytes: tpm.random.bytes(Math.min(bytesRequested, MAX_RANDOM)) },
}));

export const hashCommands = [hash, hmac, getRandom] as const;
