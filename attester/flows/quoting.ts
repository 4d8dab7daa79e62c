import type { Log } from "../../shared/ports/index.ts";
import { TpmError, type TpmlPcrSelection, TpmRc, type TpmsAttest } from "../../shared/tpm/index.ts";
import type { Quote, TpmClient, TpmKey } from "../tpm/index.ts";

/** A bank that was asked for is not there: its place in the selection. */
interface MissingBank {
  readonly missing: number;
}

/**
 * A quote. TPMs refuse a bank that they do not know, and quote no PCR of one that is switched off: only where something is amiss they are asked which
 * banks they have.
 */
export async function quoteOver(
  tpm: TpmClient,
  aik: TpmKey,
  nonce: Uint8Array,
  selection: TpmlPcrSelection,
): Promise<Quote | MissingBank> {
  try {
    const quote = await tpm.quote(aik, nonce, selection);
    if (isOver(quote, selection)) return quote;
    return (await missingBank(tpm, selection)) ?? quote; // the token knows what to say of it
  } catch (error) {
    const missing = isOfHash(error) ? await missingBank(tpm, selection) : undefined;
    if (missing === undefined) throw error;
    return missing;
  }
}

function isOver({ attest }: Quote, selection: TpmlPcrSelection): boolean {
  const { pcrSelect } = attest.attested;
  return selection.every(
    ({ hash, pcrSelect: mask }, i) => pcrSelect[i]?.hash === hash && pcrSelect[i].pcrSelect === mask,
  );
}

function isOfHash(error: unknown): boolean {
  return error instanceof TpmError && error.base === TpmRc.HASH;
}

async function missingBank(tpm: TpmClient, selection: TpmlPcrSelection): Promise<MissingBank | undefined> {
  const active = await tpm.activeBanks();
  const missing = selection.findIndex(({ hash }) => !active.some((bank) => bank.hash === hash));
  return missing < 0 ? undefined : { missing };
}

export function warnOfUnsafeClock({ clockInfo }: TpmsAttest, log: Log): void {
  if (clockInfo.safe !== 0) return;
  log.write(
    "warn",
    "The TPM lost power without TPM2_Shutdown: its clock is not safe yet, and a token refuses the quote. Try again later",
  );
}
