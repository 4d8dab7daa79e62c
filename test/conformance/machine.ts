import type { Identity } from "../../attester/flows/identity.ts";
import { readRim } from "../../attester/flows/rim.ts";
import { wireSignature } from "../../attester/flows/signed.ts";
import type { TpmClient } from "../../attester/tpm/index.ts";
import { decode, encode } from "../../shared/bytes/index.ts";
import type { InferCbor } from "../../shared/cbor/index.ts";
import { decodeCbor } from "../../shared/cbor/index.ts";
import {
  CertChain,
  type Challenge,
  type Evidence,
  makeSignature,
  type QuoteRequest,
} from "../../shared/protocol/index.ts";
import {
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  Tpm2bPublic,
  TpmError,
  type TpmlPcrSelection,
} from "../../shared/tpm/index.ts";
import type { FakeAttester } from "../support/fake-attester.ts";

/** A computer with a TPM, as a token meets it. */
export interface Machine {
  /** Intermediates first, EK certificate last. */
  readonly ekChain: readonly Uint8Array[];
  /** TPM2B_PUBLIC. */
  readonly aikPublic: Uint8Array;
  /** With the AIK, as messages carry signatures. */
  sign(data: Uint8Array): Promise<Uint8Array>;
  /** TPM2_ActivateCredential; empty where the TPM refuses. */
  activate(challenge: InferCbor<typeof Challenge>): Promise<Uint8Array>;
  quote(request: QuoteRequest): Promise<Evidence>;
  /** All PCRs as reference values, encoded. */
  rim(): Promise<Uint8Array>;
}

/** Keys in this process: they sign whatever a row wants. */
export function softwareMachine(fake: FakeAttester): Machine {
  return {
    ekChain: [fake.ekCertificate.der],
    aikPublic: encode(Tpm2bPublic, fake.aikPublic),
    sign: async (data) => makeSignature(fake.aik, data),
    activate: async (challenge) => fake.activate(challenge) ?? new Uint8Array(),
    quote: async (request) => fake.quote(request),
    rim: async () => fake.rimBytes(),
  };
}

/** A TPM behind the attester's client. */
export function tpmMachine(tpm: TpmClient, { ek, aik, ekChain, aikPublic }: Identity): Machine {
  return {
    ekChain: decodeCbor(CertChain, ekChain).certs,
    aikPublic,
    sign: async (data) => wireSignature(await tpm.sign(aik, data)),
    async activate({ idObject, encSecret }) {
      try {
        return await tpm.activateCredential(
          ek,
          aik,
          decode(Tpm2bIdObject, idObject),
          decode(Tpm2bEncryptedSecret, encSecret),
        );
      } catch (error) {
        if (error instanceof TpmError) return new Uint8Array(); // not for this EK and this AIK
        throw error;
      }
    },
    async quote({ nonce, banks }) {
      const selection: TpmlPcrSelection = banks.map(({ algo_id, pcrs }) => ({ hash: algo_id, pcrSelect: pcrs }));
      const { quoted, signature } = await tpm.quote(aik, nonce, selection);
      return { data: quoted, signature: wireSignature(signature) };
    },
    rim: () => readRim(tpm),
  };
}
