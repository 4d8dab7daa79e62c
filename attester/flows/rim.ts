import { encodeCbor } from "../../shared/cbor/index.ts";
import { Rim } from "../../shared/protocol/index.ts";
import { commands, hashNameOf, TpmAlg } from "../../shared/tpm/index.ts";
import { activeBanks, readPcrs, type TpmClient, type TpmRunner } from "../tpm/index.ts";

const MAX_TRIES = 5;

/** All PCRs of all active banks with a hash that we know, as reference values, with the TPM's counter of PCR updates. */
export function readRim(tpm: TpmClient): Promise<Uint8Array> {
  return tpm.turn(async (runner) => {
    const banks = (await activeBanks(runner)).filter(({ hash }) => hashNameOf(hash) !== undefined);
    for (let tries = 0; ; tries++) {
      const before = await updateCounter(runner);
      const values = await readPcrs(runner, banks);
      // Another program may extend a PCR meanwhile; then counter and values do not belong together.
      if ((await updateCounter(runner)) !== before && tries < MAX_TRIES) continue;
      return encodeCbor(Rim, {
        update_ctr: before,
        banks: values.map(({ hash, pcrSelect, values: pcr }) => ({ algo_id: hash, pcrs: pcrSelect, pcr })),
      });
    }
  });
}

async function updateCounter(tpm: TpmRunner): Promise<number> {
  const { response } = await tpm.run(commands.PCR_Read, {
    parameters: { pcrSelectionIn: [{ hash: TpmAlg.SHA256, pcrSelect: 1 }] },
  });
  return response.pcrUpdateCounter;
}
