import type { Log } from "../../shared/ports/index.ts";
import type { TpmlPcrSelection, TpmsAttest } from "../../shared/tpm/index.ts";
import type { TpmClient } from "../tpm/index.ts";

/** The place in a selection of a bank that the TPM does not have; -1 when it has all. */
export async function missingBank(tpm: TpmClient, selection: TpmlPcrSelection): Promise<number> {
  const active = await tpm.activeBanks();
  return selection.findIndex(({ hash }) => !active.some((bank) => bank.hash === hash));
}

export function warnOfUnsafeClock({ clockInfo }: TpmsAttest, log: Log): void {
  if (clockInfo.safe !== 0) return;
  log.write(
    "warn",
    "The TPM lost power without TPM2_Shutdown: its clock is not safe yet, and a token refuses the quote. Try again later",
  );
}
