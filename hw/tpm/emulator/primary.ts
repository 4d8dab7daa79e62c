import { decode, encode, equal } from "../../../shared/bytes/index.ts";
import { TpmAlg, TpmRh, TpmtPublic, TpmtSensitive } from "../../../shared/tpm/index.ts";
import type { NewKey } from "./key-material.ts";
import type { Machine } from "./machine.ts";
import { NvLimit } from "./state.ts";

/**
 * A primary follows from its hierarchy's seed and its template alone, so it need not be searched for twice: NV keeps what was
 * found. Losing an entry costs time, nothing else.
 */

export function rememberedPrimary({ nv }: Machine, template: Uint8Array): NewKey | undefined {
  const known = nv.primaries.find((primary) => equal(primary.template, template));
  if (known === undefined) return undefined;
  return { area: decode(TpmtPublic, known.publicArea), sensitive: decode(TpmtSensitive, known.sensitive) };
}

/** The seed of TPM_RH_NULL ends with the power, so its primaries are not kept; data and HMAC keys are made fast enough. */
export function rememberPrimary(
  tpm: Machine,
  hierarchy: number,
  template: Uint8Array,
  { area, sensitive }: NewKey,
): void {
  const { primaries } = tpm.nv;
  if (
    hierarchy === TpmRh.NULL ||
    area.type === TpmAlg.KEYEDHASH ||
    primaries.some((primary) => equal(primary.template, template))
  )
    return;
  if (primaries.length >= NvLimit.PRIMARIES) primaries.shift();
  const withoutAuth = { ...sensitive, authValue: new Uint8Array(0) };
  primaries.push({ template, publicArea: encode(TpmtPublic, area), sensitive: encode(TpmtSensitive, withoutAuth) });
  tpm.nvChanged();
}
