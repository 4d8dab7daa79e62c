import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { Code, ContentFormat } from "../../shared/coap/index.ts";
import {
  differenceOf,
  Evidence,
  type EvidenceReason,
  Explanation,
  type LogDifference,
  type PolicyBank,
  QuoteRequest,
  V1,
} from "../../shared/protocol/index.ts";
import type { AikKind } from "../tpm/index.ts";
import { expectCode, FlowEnd, type Reasons, type Refusal, refusalOf, refusing, settled } from "./outcome.ts";
import { quoteOver, warnOfUnsafeClock } from "./quoting.ts";
import { readRim } from "./rim.ts";
import { signObject, wireSignature } from "./signed.ts";
import { TokenAnswerError, TokenRefused, TokenSilent } from "./token-wire.ts";
import { isTpmTrouble } from "./tpm-trouble.ts";
import { AIK_WORDS, type Signer, type V1Context } from "./v1-context.ts";
import { offerLog } from "./v1-logs.ts";

/** Attestation over API v1: metadata, event log, quote, evidence; after a red what differs, where the token tells. */

/** Why the evidence is refused, in the token's words. */
interface Explained {
  /** Absent when the token does not tell. */
  readonly reason?: EvidenceReason;
  /** The PCRs of the policy that do not hold what was recorded; absent when the token does not tell. */
  readonly pcrs?: readonly number[];
  /** The first event that is not as enrolled; absent when logs do not explain it. */
  readonly difference?: LogDifference;
}

export type AttestOutcome = { readonly ok: true; readonly key: AikKind } | (Refusal & Omit<Explained, "reason">);

/** What a token answers that does not know this platform under this key: a wrong signature is 4.04 or, in the reference, 4.00. */
const UNKNOWN: Reasons = {
  [Code.NotFound]: "unknown-platform",
  [Code.BadRequest]: "unknown-platform",
  [Code.Forbidden]: "unknown-platform",
};
const EVIDENCE_REFUSED: Reasons = {
  [Code.Forbidden]: "not-trusted",
  [Code.InternalServerError]: "storage-failure",
};

/** TPM and token are not waited for any longer to explain a verdict: it stands already, and somebody may wait for it. */
const EXPLAIN_MS = 10_000;

export interface AttestOptions {
  /** Told of evidence that is refused at once: what differs is asked for afterwards, and the outcome may say more. */
  readonly onRefused?: (refusal: Refusal) => void;
}

export async function attestPlatform(c: V1Context, { onRefused }: AttestOptions = {}): Promise<AttestOutcome> {
  let explained: Explained = {};
  const outcome = await settled(async () => {
    const { signer, path, request } = await openContext(c);
    await offerLog(c, `${path}/log`, policyOf(request));
    const payload = await evidenceFor(c, signer, request);
    const what = "the evidence";
    try {
      const asked = { method: "POST", path, contentFormat: ContentFormat.Cbor, payload } as const;
      expectCode(what, await refusing(EVIDENCE_REFUSED, () => c.wire.ask(what, asked)), Code.Changed);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal?.reason === "not-trusted") {
        onRefused?.(refusal);
        explained = await explainInTime(c, path);
      }
      throw error;
    }
    return { ok: true, key: signer.kind } as const;
  });
  if (outcome.ok) return outcome;
  return { ...outcome, ...explained, detail: [outcome.detail, ...differing(outcome, explained)].join("; ") };
}

function policyOf({ banks }: QuoteRequest): readonly PolicyBank[] {
  return banks.map(({ algo_id, pcrs }) => ({ algorithm: algo_id, mask: pcrs }));
}

/** A token that could tell them at once has named the PCRs in its refusal. */
function differing({ detail }: Refusal, { pcrs = [], reason }: Explained): readonly string[] {
  if (pcrs.length === 0 || /\bPCR \d/.test(detail)) return [];
  const why = reason === undefined || reason === "pcr-mismatch" ? "" : `${reason}: `;
  return pcrs.length === 1
    ? [`${why}PCR ${pcrs[0]} does not hold what was recorded`]
    : [`${why}PCRs ${pcrs.join(", ")} do not hold what was recorded`];
}

interface OpenContext {
  readonly signer: Signer;
  readonly path: string;
  readonly request: QuoteRequest;
}

/** Metadata under one key after the other: nobody but the token remembers which one was enrolled. */
async function openContext(c: V1Context): Promise<OpenContext> {
  const kinds = likeliestFirst(c);
  let signer = await nextSigner(c, kinds);
  if (signer === undefined) {
    throw new FlowEnd("no-key", "this TPM has no attestation key yet: the platform was never provisioned");
  }
  for (;;) {
    try {
      const context = await openWith(c, signer);
      c.signer = signer;
      return context;
    } catch (error) {
      if (!(error instanceof FlowEnd) || error.reason !== "unknown-platform") throw error;
      const next = await nextSigner(c, kinds);
      if (next === undefined) throw error;
      c.log.write("info", `With ${AIK_WORDS[signer.kind]} ${error.message}; trying ${AIK_WORDS[next.kind]}`);
      signer = next;
    }
  }
}

const ALL_KINDS: readonly AikKind[] = ["restricted-rsa", "restricted-ecc", "reference"];

function likeliestFirst({ offers, signer }: V1Context): AikKind[] {
  const known = signer === undefined ? [] : [signer.kind];
  return [...new Set([...known, ...offers, ...ALL_KINDS])];
}

/** The first of the kinds whose key is in the TPM, which is asked for no more than that; it and those before are taken off. None is made here. */
async function nextSigner({ tpm }: V1Context, kinds: AikKind[]): Promise<Signer | undefined> {
  for (let kind = kinds.shift(); kind !== undefined; kind = kinds.shift()) {
    const aik = await tpm.findAik(kind);
    if (aik !== undefined) return { kind, aik };
  }
  return undefined;
}

async function openWith(c: V1Context, signer: Signer): Promise<OpenContext> {
  const what = "the metadata";
  const payload = await signObject(c.tpm, signer.aik, c.metadata, await c.wire.nonce());
  const answer = await refusing(UNKNOWN, () =>
    c.wire.ask(what, { method: "POST", path: V1.ATTEST, contentFormat: ContentFormat.Cbor, payload }),
  );
  const path = `${V1.ATTEST}/${c.wire.location(what, answer)}`;
  const request = c.wire.read(what, () => decodeCbor(QuoteRequest, answer.payload, "quote"));
  return { signer, path, request };
}

async function evidenceFor({ tpm, log }: V1Context, { aik }: Signer, request: QuoteRequest): Promise<Uint8Array> {
  const selection = policyOf(request).map(({ algorithm, mask }) => ({ hash: algorithm, pcrSelect: mask }));
  const quote = await quoteOver(tpm, aik, request.nonce, selection);
  if ("missing" in quote) {
    const bank = `0x${(selection[quote.missing]?.hash ?? 0).toString(16).padStart(4, "0")}`;
    throw new FlowEnd("no-bank", `the token asks for PCRs of bank ${bank}, which this TPM does not have`);
  }
  const { quoted, attest, signature } = quote;
  warnOfUnsafeClock(attest, log);
  return encodeCbor(Evidence, { data: quoted, signature: wireSignature(signature) });
}

/** What TPM and token come to later, nobody learns. */
function explainInTime(c: V1Context, path: string): Promise<Explained> {
  const until = c.clock.now() + EXPLAIN_MS;
  return new Promise((resolve, reject) => {
    const cancel = c.clock.after(EXPLAIN_MS, () => resolve({}));
    explain(c, path, until).then(resolve, reject).finally(cancel);
  });
}

/**
 * Extension 2 of API v1; a token that does not have it answers 4.04, and its verdict stands without reasons. So it does when token or TPM
 * fail in between: a refusal is final, and must not look like a token that was silent. By `clock`, the token is asked nothing after `until`.
 */
async function explain({ tpm, wire, clock, log }: V1Context, path: string, until: number): Promise<Explained> {
  const what = "the current PCRs";
  try {
    const payload = await readRim(tpm);
    const timeoutMs = until - clock.now();
    if (timeoutMs <= 0) return {};
    const request = { method: "POST", path: `${path}/explain`, contentFormat: ContentFormat.Cbor, payload } as const;
    const answer = await wire.ask(what, { ...request, timeoutMs });
    const { pcrs, reason, difference } = wire.read(what, () => decodeCbor(Explanation, answer.payload, "explanation"));
    return {
      ...(pcrs.length > 0 && { pcrs }),
      ...(reason !== undefined && { reason }),
      ...(difference !== undefined && { difference: differenceOf(difference) }),
    };
  } catch (error) {
    if (!isUnexplained(error)) throw error;
    log.write("debug", `The token does not tell what differs: ${error.message}`);
    return {};
  }
}

function isUnexplained(error: unknown): error is Error {
  if (error instanceof TokenRefused || error instanceof TokenAnswerError || error instanceof TokenSilent) return true;
  return isTpmTrouble(error);
}
