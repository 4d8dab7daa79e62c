/** A computer for V1Walk whose keys and PCRs are those of a TPM. */

import { wireSignature } from "../../attester/flows/signed.ts";
import type { AikKind, EkKind, TpmClient, TpmKey } from "../../attester/tpm/index.ts";
import { decode } from "../../shared/bytes/index.ts";
import { encodeCbor } from "../../shared/cbor/index.ts";
import { type Evidence, Metadata, Rim, type SignedObject, signedBytes } from "../../shared/protocol/index.ts";
import type { PcrBank } from "../../shared/tpm/index.ts";
import { ALL_PCRS, Tpm2bEncryptedSecret, Tpm2bIdObject, TpmAlg } from "../../shared/tpm/index.ts";
import { type Certificate, parseCertificate } from "../../shared/x509/index.ts";
import type { V1Computer } from "./v1-walk.ts";

const METADATA: Metadata = {
  version: 1,
  mac: Uint8Array.of(0, 0x0d, 0xb9, 0x53, 0xd2, 0x50),
  manufacturer: "PC Engines",
  product_name: "apu2",
  serial_number: "1373268",
};

export interface TpmComputer extends V1Computer {
  readonly aik: TpmKey;
  readPcrs(): Promise<readonly PcrBank[]>;
}

/** The TPM has been manufactured and started. */
export async function tpmComputer(tpm: TpmClient, aikKind: AikKind, ekKind: EkKind = "rsa"): Promise<TpmComputer> {
  const ek = await tpm.ensureEk(ekKind);
  const aik = await tpm.ensureAik(aikKind, ek);
  const der = await tpm.readEkCertificate(ekKind);
  if (der === undefined) throw new Error("the TPM has no EK certificate");
  const ekCertificate: Certificate = parseCertificate(der);
  const readPcrs = () => tpm.readPcrs([{ hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS }]);
  return {
    aik,
    aikPublic: aik.publicArea,
    ekCertificate,
    issuers: await tpm.readEkChain(),
    readPcrs,
    activate: ({ idObject, encSecret }) =>
      tpm.activateCredential(ek, aik, decode(Tpm2bIdObject, idObject), decode(Tpm2bEncryptedSecret, encSecret)),
    async signed(data, nonce): Promise<SignedObject> {
      return { data, signature: wireSignature(await tpm.sign(aik, signedBytes(data, nonce))) };
    },
    metadataBytes: () => encodeCbor(Metadata, METADATA),
    async rimBytes() {
      const banks = (await readPcrs()).map(({ hash, pcrSelect, values }) => ({
        algo_id: hash,
        pcrs: pcrSelect,
        pcr: [...values],
      }));
      return encodeCbor(Rim, { update_ctr: 1, banks });
    },
    async quote({ nonce, banks }): Promise<Evidence> {
      const selection = banks.map(({ algo_id, pcrs }) => ({ hash: algo_id, pcrSelect: pcrs }));
      const { quoted, signature } = await tpm.quote(aik, nonce, selection);
      return { data: quoted, signature: wireSignature(signature) };
    },
  };
}
