import { toHex } from "../../shared/bytes/index.ts";
import type { InferCbor } from "../../shared/cbor/index.ts";
import { encodeCbor } from "../../shared/cbor/index.ts";
import type { Method } from "../../shared/coap/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import {
  ActivationRequest,
  AikRequest,
  AuthorizedRequest,
  authorizationFor,
  authorizeRequest,
  Challenge,
  Evidence,
  QuoteRequest,
  V1,
} from "../../shared/protocol/index.ts";
import type { Issuer } from "../../shared/x509/index.ts";
import { type Answer, bodyOf, decoded, expect, idOf } from "./answer.ts";
import { asBytes, asCbor, asItem, type Body, type Client, cborBody } from "./client.ts";
import type { Machine } from "./machine.ts";
import { type Platform, signed } from "./platform.ts";

/** What programs do with a token, step by step; each step expects that the one before succeeded. */

export const certs = (ders: readonly Uint8Array[]): Body => asItem({ certs: ders });

/** An id that was not given. */
export const another = (id: number): number => (id ^ 1) >>> 0;

export const context = (id: number, leaf: "" | "/meta" | "/rim" | "/log" = ""): string =>
  `${V1.PROVISION}/${id}${leaf}`;
export const attestation = (id: number, leaf: "" | "/explain" | "/log" = ""): string => `${V1.ATTEST}/${id}${leaf}`;
export const file = (name: string): readonly string[] => [...V1.STORAGE.slice(1).split("/"), name];

export async function sendEk(client: Client, machine: Machine): Promise<number> {
  return idOf(await client.post(V1.EK, certs(machine.ekChain)));
}

export interface OfferedAik {
  readonly ek: number;
  readonly aik: number;
  readonly challenge: InferCbor<typeof Challenge>;
}

export const aikBody = (aik: Uint8Array, ek: number): Body => cborBody(AikRequest, { aik, ek });

export async function sendAik(client: Client, machine: Machine, ek: number): Promise<OfferedAik> {
  const answer = await client.post(V1.AIK, aikBody(machine.aikPublic, ek));
  return { ek, aik: idOf(answer), challenge: bodyOf(answer, Challenge) };
}

/** EK and AIK, with the secret that the TPM found in the challenge. */
export async function offered(client: Client, machine: Machine) {
  const aik = await sendAik(client, machine, await sendEk(client, machine));
  return { ...aik, secret: await machine.activate(aik.challenge) };
}

export function activate(
  client: Client,
  { ek, aik, secret }: { ek: number; aik: number; secret: Uint8Array },
): Promise<Answer> {
  return client.post(V1.PROVISION, cborBody(ActivationRequest, { ek, aik, secret }));
}

/** An open provisioning context. */
export async function openContext(client: Client, machine: Machine): Promise<number> {
  return idOf(await activate(client, await offered(client, machine)));
}

/** A signed object over a fresh nonce to a path. */
export async function postSigned(client: Client, machine: Machine, path: string, data: Uint8Array): Promise<Answer> {
  return client.post(path, asCbor(await signed(machine, data, await client.nonce())));
}

export function sendMeta(client: Client, id: number, { machine, metadata }: Platform): Promise<Answer> {
  return postSigned(client, machine, context(id, "/meta"), metadata);
}

export function sendRim(client: Client, id: number, { machine, rim }: Platform): Promise<Answer> {
  return postSigned(client, machine, context(id, "/rim"), rim);
}

/** A context that only waits to be finished. */
export async function filledContext(client: Client, platform: Platform): Promise<number> {
  const id = await openContext(client, platform.machine);
  expect(await sendMeta(client, id, platform), "2.01");
  expect(await sendRim(client, id, platform), "2.01");
  return id;
}

export async function enrol(client: Client, platform: Platform): Promise<void> {
  const id = await filledContext(client, platform);
  expect(await client.post(context(id)), "2.04");
}

export interface OpenAttestation {
  readonly id: number;
  readonly request: QuoteRequest;
}

export function startAttestation(client: Client, { machine, metadata }: Platform): Promise<Answer> {
  return postSigned(client, machine, V1.ATTEST, metadata);
}

export async function openAttestation(client: Client, platform: Platform): Promise<OpenAttestation> {
  const answer = await startAttestation(client, platform);
  return { id: idOf(answer), request: bodyOf(answer, QuoteRequest) };
}

export const evidenceBody = (evidence: Evidence): Body => cborBody(Evidence, evidence);

export function sendEvidence(client: Client, id: number, evidence: Evidence): Promise<Answer> {
  return client.post(attestation(id), evidenceBody(evidence));
}

export async function attest(client: Client, platform: Platform): Promise<void> {
  const { id, request } = await openAttestation(client, platform);
  expect(await sendEvidence(client, id, await platform.machine.quote(request)), "2.04");
}

/** Evidence whose signature is wrong. */
export async function failAttestation(client: Client, platform: Platform): Promise<Answer> {
  const { id, request } = await openAttestation(client, platform);
  const { data, signature } = await platform.machine.quote(request);
  return sendEvidence(client, id, { data, signature: signature.map((byte) => byte ^ 1) });
}

export interface FileRequest {
  readonly method: Method;
  readonly name: string;
  readonly body?: Uint8Array;
}

export function requestGrant(
  client: Client,
  machine: Machine,
  path: string,
  { method, body }: Omit<FileRequest, "name">,
): Promise<Answer> {
  return client
    .nonce()
    .then(async (nonce) =>
      client.post(
        V1.GRANT,
        asCbor(await signed(machine, authorizationFor({ method, path, body: body ?? new Uint8Array() }, nonce), nonce)),
      ),
    );
}

/** The query that carries a grant for exactly this request. */
export async function grantFor(client: Client, { machine }: Platform, request: FileRequest): Promise<string> {
  const answer = await requestGrant(client, machine, `${V1.STORAGE}/${request.name}`, request);
  return `grant=${toHex(expect(answer, { code: "2.01", bytes: 16 }).payload)}`;
}

/** A request for a file with its grant. */
export async function withGrant(client: Client, platform: Platform, request: FileRequest): Promise<Answer> {
  const query = [await grantFor(client, platform, request)];
  return client.ask(request.method, file(request.name), request.body && asBytes(request.body), { query });
}

export const write = (client: Client, platform: Platform, name: string, body: Uint8Array): Promise<Answer> =>
  withGrant(client, platform, { method: "PUT", name, body });
export const read = (client: Client, platform: Platform, name: string): Promise<Answer> =>
  withGrant(client, platform, { method: "GET", name });
export const remove = (client: Client, platform: Platform, name: string): Promise<Answer> =>
  withGrant(client, platform, { method: "DELETE", name });

export interface OwnerRequest {
  readonly method: Method;
  readonly path: string;
  readonly body?: Uint8Array;
  /** Device id of the token that is meant. */
  readonly token?: string;
}

/** A request of the owner's over a fresh nonce. */
export async function asOwner(
  client: Client,
  owner: Pick<Issuer, "key">,
  random: Random,
  request: OwnerRequest,
): Promise<Answer> {
  const { method, path, body = new Uint8Array(), token } = request;
  const nonce = await client.nonce();
  const payload = decoded(path, () =>
    encodeCbor(AuthorizedRequest, authorizeRequest({ method, path, body, token }, nonce, owner.key, random)),
  );
  return client.ask(method, path, asCbor(payload));
}
