import { CodecError, inField, Reader } from "../../shared/bytes/index.ts";
import { EkCertificateIndex } from "../../shared/tpm/index.ts";
import type { EkKind } from "./keys.ts";
import { nvRead } from "./nv.ts";
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

/** The one DER SEQUENCE at the beginning: X.690, 8.1.3. A certificate is longer than 127 and shorter than 65536 bytes. */
function cutToDer(content: Uint8Array): Uint8Array {
  const from = new Reader(content);
  if (from.u8() !== SEQUENCE) throw new CodecError("no DER certificate", "", 0);
  const form = from.u8();
  if (form !== 0x81 && form !== 0x82) from.fail("no DER certificate's length");
  const size = form === 0x81 ? from.u8() : from.u16be();
  const header = from.offset;
  from.bytes(size);
  return new Reader(content).bytes(header + size);
}
