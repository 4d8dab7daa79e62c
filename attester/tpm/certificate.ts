import { concat, inField, Reader } from "../../shared/bytes/index.ts";
import { EkCertificateIndex, TpmError, TpmHt } from "../../shared/tpm/index.ts";
import { listHandles } from "./cleanup.ts";
import type { EkKind } from "./keys.ts";
import { NvTooLargeError, nvRead } from "./nv.ts";
import type { TpmRunner } from "./runner.ts";

const SEQUENCE = 0x30;

/**
 * The DER certificate of an EK from its NV index; undefined when there is none. Vendors make the index larger than the certificate and
 * pad it, so what follows the certificate's own length is cut off. CodecError when the index does not hold DER.
 */
export async function readEkCertificate(tpm: TpmRunner, kind: EkKind): Promise<Uint8Array | undefined> {
  const index = kind === "rsa" ? EkCertificateIndex.RSA_2048 : EkCertificateIndex.ECC_P256;
  const content = await nvRead(tpm, index);
  return content === undefined ? undefined : inField(`NV index 0x${index.toString(16)}`, () => cutToDer(content));
}

/** TCG EK Credential Profile, 2.2.1.5.2: the indices that hold the issuers' certificates, one behind the other and cut anywhere. */
const CHAIN = { first: 0x01c00100, last: 0x01c001ff, maxBytes: 16_384, maxCertificates: 8 } as const;

/**
 * The certificates of the EK's issuers that the vendor put into NV, in the order found there; none on most TPMs. An index that the TPM
 * lets us not read, or that is too large, is passed over with a warning. CodecError when the indices hold something else. At most 16 KiB
 * and eight certificates are read.
 */
export async function readEkChain(tpm: TpmRunner): Promise<readonly Uint8Array[]> {
  const indices = await listHandles(tpm, TpmHt.NV_INDEX);
  const pieces: Uint8Array[] = [];
  for (const index of indices.filter((one) => one >= CHAIN.first && one <= CHAIN.last)) {
    const piece = await chainPiece(tpm, index);
    if (piece !== undefined) pieces.push(piece);
    if (concat(...pieces).byteLength > CHAIN.maxBytes) break;
  }
  return inField("EK certificate chain in NV", () => splitDer(concat(...pieces)));
}

async function chainPiece(tpm: TpmRunner, index: number): Promise<Uint8Array | undefined> {
  try {
    return await nvRead(tpm, index);
  } catch (error) {
    if (!(error instanceof TpmError || error instanceof NvTooLargeError)) throw error;
    const name = `NV index 0x${index.toString(16)}`;
    tpm.env.log.write("warn", `${name} is passed over in search of the EK's issuers: ${error.message}`);
    return undefined;
  }
}

/** Certificates one behind the other, up to what is no SEQUENCE: padding. CodecError when one is not whole. */
export function splitDer(content: Uint8Array): readonly Uint8Array[] {
  const certificates: Uint8Array[] = [];
  const from = new Reader(content);
  while (from.peek() === SEQUENCE && certificates.length < CHAIN.maxCertificates) certificates.push(takeDer(from));
  return certificates;
}

/** The one DER SEQUENCE at the beginning. */
export function cutToDer(content: Uint8Array): Uint8Array {
  return takeDer(new Reader(content));
}

/** A DER SEQUENCE: X.690, 8.1.3. A certificate is longer than 127 and shorter than 65536 bytes. */
function takeDer(from: Reader): Uint8Array {
  const tag = from.u8();
  if (tag !== SEQUENCE) from.fail("no DER certificate");
  const form = from.u8();
  if (form !== 0x81 && form !== 0x82) from.fail("no DER certificate's length");
  const header = form === 0x81 ? Uint8Array.of(tag, form, from.u8()) : Uint8Array.of(tag, form, from.u8(), from.u8());
  const size = new Reader(header.subarray(2));
  return concat(header, from.bytes(form === 0x81 ? size.u8() : size.u16be()));
}
