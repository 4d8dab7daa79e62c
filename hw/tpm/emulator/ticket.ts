import { encode, u16be, u64be } from "../../../shared/bytes/index.ts";
import { type HashName, hmac } from "../../../shared/crypto/index.ts";
import {
  hashAlgOf,
  TPM_GENERATED_VALUE,
  TpmAlg,
  TpmRh,
  TpmSt,
  type TpmtTkCreation,
  type TpmtTkHashcheck,
  type TpmtTkVerified,
} from "../../../shared/tpm/index.ts";
import { hierarchyOf, type Machine } from "./machine.ts";
import type { KeyObject } from "./object.ts";

/** Tickets: HMACs with a hierarchy's proof over what the TPM itself made or saw. Part 2, 10.7. The hash is TPM_PT_CONTEXT_HASH. */

const NONE = new Uint8Array(0);

function proof(tpm: Machine, hierarchy: number): Uint8Array {
  return hierarchyOf(tpm, hierarchy)?.proof ?? NONE;
}

function hashcheckDigest(tpm: Machine, hierarchy: number, alg: HashName, digest: Uint8Array): Uint8Array {
  return hmac("sha512", proof(tpm, hierarchy), encode(u16be, TpmSt.HASHCHECK), encode(u16be, hashAlgOf(alg)), digest);
}

/** Without a hierarchy, or for data that could be an attestation (not `safe`), the ticket is empty. */
export function hashcheckTicket(
  tpm: Machine,
  hierarchy: number,
  alg: HashName,
  digest: Uint8Array,
  safe: boolean,
): TpmtTkHashcheck {
  if (hierarchy === TpmRh.NULL || !safe) return { tag: TpmSt.HASHCHECK, hierarchy: TpmRh.NULL, digest: NONE };
  return { tag: TpmSt.HASHCHECK, hierarchy, digest: hashcheckDigest(tpm, hierarchy, alg, digest) };
}

/** The digest that a genuine ticket for `digest` has. */
export function expectedHashcheck(tpm: Machine, hierarchy: number, alg: HashName, digest: Uint8Array): Uint8Array {
  return hashcheckDigest(tpm, hierarchy, alg, digest);
}

export function creationTicket(
  tpm: Machine,
  hierarchy: number,
  name: Uint8Array,
  creationHash: Uint8Array,
): TpmtTkCreation {
  return {
    tag: TpmSt.CREATION,
    hierarchy,
    digest: hmac("sha512", proof(tpm, hierarchy), encode(u16be, TpmSt.CREATION), name, creationHash),
  };
}

/** TPM2_VerifySignature saw that the key signed the digest. Empty where no hierarchy stands for the key: Part 3, 20.1. */
export function verifiedTicket(tpm: Machine, { hierarchy, area, name }: KeyObject, digest: Uint8Array): TpmtTkVerified {
  if (hierarchy === TpmRh.NULL || area.nameAlg === TpmAlg.NULL)
    return { tag: TpmSt.VERIFIED, hierarchy: TpmRh.NULL, digest: NONE };
  const ticket = hmac("sha512", proof(tpm, hierarchy), encode(u16be, TpmSt.VERIFIED), digest, name);
  return { tag: TpmSt.VERIFIED, hierarchy, digest: ticket };
}

/** Ticket of a PolicySecret that expires: Part 2, 10.7.5. */
export function authTicketDigest(
  tpm: Machine,
  hierarchy: number,
  timeout: bigint,
  cpHash: Uint8Array,
  policyRef: Uint8Array,
  name: Uint8Array,
): Uint8Array {
  return hmac(
    "sha512",
    proof(tpm, hierarchy),
    encode(u16be, TpmSt.AUTH_SECRET),
    cpHash,
    policyRef,
    name,
    encode(u64be, timeout),
  );
}

const GENERATED = Uint8Array.from([24, 16, 8, 0], (shift) => (TPM_GENERATED_VALUE >>> shift) & 0xff);

/** Whether the data could pass for something that the TPM states: Part 1, 31.1. */
export function startsLikeAttestation(data: Uint8Array): boolean {
  return GENERATED.every((byte, i) => data[i] === byte);
}
