import { decode, encode } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { Code, ContentFormat } from "../../shared/coap/index.ts";
import { ActivationRequest, AikRequest, Challenge, V1 } from "../../shared/protocol/index.ts";
import { Tpm2bEncryptedSecret, Tpm2bIdObject, Tpm2bPublic } from "../../shared/tpm/index.ts";
import type { AikKind } from "../tpm/index.ts";
import { isRefusedCredential } from "./credential.ts";
import { type Endorsement, prepareEndorsement } from "./identity.ts";
import { expectCode, FlowEnd, type Reasons, type Refusal, refusing, settled } from "./outcome.ts";
import { readRim } from "./rim.ts";
import { signObject } from "./signed.ts";
import { AIK_WORDS, type Signer, type V1Context } from "./v1-context.ts";
import { offerEnrolledLog } from "./v1-logs.ts";

/** Platform provisioning over API v1: EK, AIK, activation, metadata, reference values, event log, finish. */

export type ProvisionOutcome = { readonly ok: true; readonly key: AikKind } | Refusal;

const EK_REASONS: Reasons = { [Code.Forbidden]: "ek-refused", [Code.NotFound]: "token-unprovisioned" };
const AIK_REASONS: Reasons = { [Code.Forbidden]: "aik-refused" };
const ACTIVATION_REASONS: Reasons = { [Code.Forbidden]: "activation-refused" };
const METADATA_REASONS: Reasons = { [Code.Forbidden]: "metadata-refused", [Code.BadRequest]: "metadata-refused" };
const RIM_REASONS: Reasons = { [Code.Forbidden]: "rim-refused", [Code.BadRequest]: "rim-refused" };
const FINISH_REASONS: Reasons = {
  [Code.Forbidden]: "enrolment-refused",
  [Code.InternalServerError]: "storage-failure",
};

/** Rejects with IdentityError, ForeignKeyError, or as the TPM client does. */
export function provisionPlatform(c: V1Context): Promise<ProvisionOutcome> {
  return settled(async () => {
    const { tpm, key, log, issuers, fetcher } = c;
    const endorsement = await prepareEndorsement({ tpm, key, log, issuers, fetcher });
    const { signer, offered } = await offerKeys(c, endorsement);
    const context = await activate(c, endorsement, signer, offered);
    await submit(c, signer, `${context}/meta`, "the metadata", c.metadata, METADATA_REASONS);
    await submit(c, signer, `${context}/rim`, "the reference values", await readRim(tpm), RIM_REASONS);
    await offerEnrolledLog(c, signer, `${context}/log`);
    const what = "enrolling the platform";
    const done = await refusing(FINISH_REASONS, () => c.wire.ask(what, { method: "POST", path: context }));
    expectCode(what, done, Code.Changed);
    c.signer = signer;
    log.write("debug", `Enrolled with ${AIK_WORDS[signer.kind]}`);
    return { ok: true, key: signer.kind };
  });
}

/** What a token answers to an AIK. */
interface Offered {
  readonly ek: number;
  readonly aik: number;
  /** Both without their 2-byte sizes. */
  readonly idObject: Uint8Array;
  readonly encSecret: Uint8Array;
}

interface Offer {
  readonly signer: Signer;
  readonly offered: Offered;
}

/** One AIK after the other, until the token takes one. A token of the reference refuses every restricted key with 4.03. */
async function offerKeys(c: V1Context, endorsement: Endorsement): Promise<Offer> {
  const [first, ...others] = c.offers;
  if (first === undefined) throw new RangeError("an attester without a key to offer");
  let kind = first;
  for (;;) {
    try {
      return await offerKey(c, endorsement, kind);
    } catch (error) {
      const next = others.shift();
      if (!(error instanceof FlowEnd) || error.reason !== "aik-refused") throw error;
      if (next === undefined) throw withHint(c, error);
      c.log.write("warn", `${sentence(error.message)} Offering ${AIK_WORDS[next]}.`);
      kind = next;
    }
  }
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function withHint({ key }: V1Context, error: FlowEnd): FlowEnd {
  if (key === "rsa") return error;
  return new FlowEnd(error.reason, `${error.message}; tokens of the reference know RSA keys only`, error.cause);
}

async function offerKey(c: V1Context, endorsement: Endorsement, kind: AikKind): Promise<Offer> {
  const { wire, tpm } = c;
  const aik = await tpm.ensureAik(kind, endorsement.ek); // may take long; so before the token is asked anything
  const ek = await uploadEk(c, endorsement);
  const what = AIK_WORDS[kind];
  const payload = encodeCbor(AikRequest, { aik: encode(Tpm2bPublic, aik.publicArea), ek });
  const answer = await refusing(AIK_REASONS, () =>
    wire.ask(what, { method: "POST", path: V1.AIK, contentFormat: ContentFormat.Cbor, payload }),
  );
  const id = Number(wire.location(what, answer));
  const challenge = wire.read(what, () => {
    const { idObject, encSecret } = decodeCbor(Challenge, answer.payload, "challenge");
    return {
      idObject: decode(Tpm2bIdObject, idObject, "challenge.idObject"),
      encSecret: decode(Tpm2bEncryptedSecret, encSecret, "challenge.encSecret"),
    };
  });
  return { signer: { kind, aik }, offered: { ek, aik: id, ...challenge } };
}

async function uploadEk({ wire, log }: V1Context, { ekChain }: Endorsement): Promise<number> {
  const what = "the EK certificates";
  log.write("debug", "Sending the EK certificates");
  const request = { method: "POST", path: V1.EK, contentFormat: ContentFormat.Cbor, payload: ekChain } as const;
  return Number(wire.location(what, await refusing(EK_REASONS, () => wire.ask(what, request))));
}

/** Proves that the AIK is in the TPM of the EK. The provisioning context's path. */
async function activate(c: V1Context, { ek }: Endorsement, { aik }: Signer, offered: Offered): Promise<string> {
  const secret = await credentialSecret(() => c.tpm.activateCredential(ek, aik, offered.idObject, offered.encSecret));
  const what = "the proof that AIK and EK are in one TPM";
  const payload = encodeCbor(ActivationRequest, { ek: offered.ek, aik: offered.aik, secret });
  const answer = await refusing(ACTIVATION_REASONS, () =>
    c.wire.ask(what, { method: "POST", path: V1.PROVISION, contentFormat: ContentFormat.Cbor, payload }),
  );
  return `${V1.PROVISION}/${c.wire.location(what, answer)}`;
}

async function credentialSecret(activateCredential: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await activateCredential();
  } catch (error) {
    if (!isRefusedCredential(error)) throw error;
    throw new FlowEnd("activation-refused", `the TPM refuses the token's credential: ${error.message}`, error);
  }
}

/** A signed object with a nonce of its own. */
async function submit(
  c: V1Context,
  { aik }: Signer,
  path: string,
  what: string,
  data: Uint8Array,
  reasons: Reasons,
): Promise<void> {
  c.log.write("debug", `Sending ${what}`);
  const payload = await signObject(c.tpm, aik, data, await c.wire.nonce());
  const request = { method: "POST", path, contentFormat: ContentFormat.Cbor, payload } as const;
  expectCode(what, await refusing(reasons, () => c.wire.ask(what, request)), Code.Created, Code.Changed);
}
