import { encodeCbor } from "../../shared/cbor/index.ts";
import {
  type PolicyBank,
  QuoteRequestIndefinite,
  type SignedObject,
  signedBytes,
  verifySignature,
} from "../../shared/protocol/index.ts";
import type { NotTrusted } from "./events.ts";
import type { Mismatch } from "./explanation.ts";
import type { Platform } from "./platforms.ts";

/** What both APIs have in common around the appraisal itself. */

/** Whether the AIK on record signed this object for this nonce. */
export function isFreshlySigned({ key }: Platform, { data, signature }: SignedObject, nonce: Uint8Array): boolean {
  return verifySignature(key, signedBytes(data, nonce), signature);
}

/** What the quote has to cover, and the nonce that makes it fresh; written as the reference token does. */
export function quoteRequest(policy: readonly PolicyBank[], nonce: Uint8Array): Uint8Array {
  const banks = policy.map(({ algorithm, mask }) => ({ algo_id: algorithm, pcrs: mask }));
  return encodeCbor(QuoteRequestIndefinite, { nonce, banks });
}

/** A red for PCRs, with what is known of them. */
export function mismatchVerdict({ summary }: Platform, mismatch: Mismatch): NotTrusted {
  return { trusted: false, platform: summary, ...mismatch };
}
