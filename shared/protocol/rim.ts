import { CodecError } from "../bytes/index.ts";
import { decodeCbor } from "../cbor/index.ts";
import { digestSize } from "../crypto/index.ts";
import { hashNameOf, type PcrBank, pcrNumbers } from "../tpm/index.ts";
import { Rim } from "./messages.ts";

/** The reference values as banks of PCRs. CodecError also when masks and digests do not fit, or a bank stands twice. */
export function decodeRim(bytes: Uint8Array): readonly PcrBank[] {
  const { banks } = decodeCbor(Rim, bytes, "rim");
  const seen = new Set<number>();
  return banks.map(({ algo_id, pcrs, pcr }, i) => {
    const path = `rim.banks[${i}]`;
    if (seen.has(algo_id)) throw new CodecError("the bank stands twice", `${path}.algo_id`, 0);
    seen.add(algo_id);
    if (pcrNumbers(pcrs).length !== pcr.length) {
      throw new CodecError(`${pcr.length} digests for ${pcrNumbers(pcrs).length} PCRs`, `${path}.pcr`, 0);
    }
    const name = hashNameOf(algo_id);
    const size = name === undefined ? pcr[0]?.byteLength : digestSize(name);
    if (pcr.some((value) => value.byteLength !== size))
      throw new CodecError("digests of the wrong size", `${path}.pcr`, 0);
    return { hash: algo_id, pcrSelect: pcrs, values: pcr };
  });
}
