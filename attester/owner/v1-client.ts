import { encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapResponse, Code, ContentFormat, codeText } from "../../shared/coap/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import { CertChain, V1 } from "../../shared/protocol/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { TokenAnswerError, TokenRefused, TokenSilent, type TokenWire } from "../flows/token-wire.ts";
import type { Question } from "./admission.ts";
import type { Owner } from "./owner.ts";
import { checkRequest, type RequestRefusal } from "./request.ts";

/** Token provisioning of API v1: the owner's program is the client. */

const API_VERSION = 1;
/** A third of a session's life. */
const PING_MS = 1_000;

/** Why a token is not provisioned, besides what speaks against its request. */
export const provisionRefusals = [
  /** What answers speaks another generation of the protocol, or is no token. */
  "api",
  /** It has an owner: this one or another. */
  "already-provisioned",
  /** The token does not trust the owner's chain. */
  "chain",
  /** The token does not take the certificate that was issued for it. */
  "certificate",
  /** Any other answer that is none of the protocol's, such as full storage. */
  "token-trouble",
] as const;
export type ProvisionRefusal = (typeof provisionRefusals)[number] | RequestRefusal;

export interface RefusedProvisioning {
  readonly ok: false;
  readonly reason: ProvisionRefusal;
  /** For people. */
  readonly sentence: string;
}

export interface ProvisionedToken {
  readonly ok: true;
  readonly deviceId: string;
  readonly certificate: Certificate;
  /** The certificate comes out of the record: an earlier run did not get to its end. */
  readonly again: boolean;
}

export interface ProvisionOptions {
  readonly wire: TokenWire;
  readonly owner: Owner;
  /** Asks a person who sees the device id; the session is kept alive meanwhile. Without it the owner's admission decides alone. */
  readonly asking?: { readonly ask: Question; readonly clock: Clock } | undefined;
}

function refused(reason: ProvisionRefusal, sentence: string): RefusedProvisioning {
  return { ok: false, reason, sentence };
}

const ALREADY = "the token is provisioned already; to give it another owner, wipe it first";

const said = ({ code, detail }: TokenRefused) => `${codeText(code)}${detail === "" ? "" : `: ${detail}`}`;

/** Tokens answer a second owner 4.03, the reference's firmware 4.04; the same 4.03 stands for a chain they do not trust. */
function chainRefusal(error: TokenRefused): RefusedProvisioning {
  const { code, detail } = error;
  const provisioned = /provisioned already|already provisioned|has an owner/i.test(detail);
  if (code === Code.NotFound || (code === Code.Forbidden && provisioned)) {
    return refused("already-provisioned", `${ALREADY} (${said(error)})`);
  }
  if (code !== Code.Forbidden) return refused("token-trouble", error.message);
  const or = detail === "" ? ", or has an owner already" : "";
  return refused(
    "chain",
    `the token does not trust this owner's chain${or} (${said(error)}): is its owner root the first of the chain?`,
  );
}

function certificateRefusal(error: TokenRefused): RefusedProvisioning {
  if (error.code === Code.NotFound) return refused("already-provisioned", `${ALREADY} (${said(error)})`);
  if (error.code !== Code.Forbidden) return refused("token-trouble", error.message);
  return refused("certificate", `the token does not take its certificate (${said(error)})`);
}

function demandCreated(what: string, { code }: CoapResponse): void {
  if (code !== Code.Created) throw new TokenAnswerError(`the token answers ${what} with ${codeText(code)}`);
}

/** The outcome of `request`; what the token refuses is told by `refusal`. */
async function answered<T>(
  request: Promise<T>,
  refusal: (error: TokenRefused) => RefusedProvisioning,
): Promise<T | RefusedProvisioning> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof TokenRefused) return refusal(error);
    throw error;
  }
}

function isRefused(value: object): value is RefusedProvisioning {
  return "ok" in value && value.ok === false;
}

/** The decision; meanwhile the token is pinged, because a session ends 3 s after its peer's last message. Rejects when the token is gone. */
function keptWhile<T>(decision: Promise<T>, wire: TokenWire, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    let open = true;
    let cancel: () => void = () => undefined;
    const settle = (result: () => void) => {
      open = false;
      cancel();
      result();
    };
    const pingLater = () => {
      cancel = clock.after(PING_MS, () => {
        wire.ping().then(
          () => open && pingLater(),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    };
    decision.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    pingLater();
  });
}

/** Says no when the person does; undefined lets the request go on to the owner. */
async function personRefuses(
  csr: Uint8Array,
  { wire, asking }: ProvisionOptions,
): Promise<RefusedProvisioning | undefined> {
  const request = checkRequest(csr);
  if (asking === undefined || !request.ok) return undefined; // what is wrong with a request is the owner's to say
  const { deviceId, publicKey } = request;
  const yes = await keptWhile(asking.ask(deviceId, publicKey.key), wire, asking.clock);
  return yes ? undefined : refused("denied", `token ${deviceId} was turned away`);
}

/** The version request goes first: who is no token shall not see the chain. */
async function speaksV1(wire: TokenWire): Promise<undefined | RefusedProvisioning> {
  const versions = await answered(wire.versions(), (error) =>
    refused("api", `what answers is no token of API v1 (${said(error)})`),
  );
  if (!Array.isArray(versions)) return isRefused(versions) ? versions : undefined;
  if (versions.includes(API_VERSION)) return undefined;
  return refused(
    "api",
    `the token speaks API ${versions.map((version) => `v${version}`).join(", ")}, not v${API_VERSION}`,
  );
}

async function complete(
  certificate: Certificate,
  deviceId: string,
  wire: TokenWire,
): Promise<RefusedProvisioning | CoapResponse> {
  const what = "its certificate";
  try {
    const { der: payload } = certificate;
    const request = {
      method: "POST",
      path: V1.PROVISION_COMPLETE,
      contentFormat: ContentFormat.OctetStream,
      payload,
    } as const;
    return await answered(wire.ask(what, request), certificateRefusal);
  } catch (error) {
    if (!(error instanceof TokenSilent)) throw error;
    const sentence = `token ${deviceId} did not say whether it took its certificate; the same command again makes sure: "provisioned already" then means that it did`;
    throw new TokenSilent(sentence, { cause: error });
  }
}

/**
 * Provisions the token: its chain goes there, a certification request comes back, the certificate goes there. May be run again after
 * whatever interrupted it: the record gives the same certificate. Rejects with TokenSilent or TokenAnswerError.
 */
export async function provisionToken(options: ProvisionOptions): Promise<ProvisionedToken | RefusedProvisioning> {
  const { wire, owner } = options;
  const stranger = await speaksV1(wire);
  if (stranger !== undefined) return stranger;
  const payload = encodeCbor(CertChain, { certs: owner.chain.map(({ der }) => der) });
  const request = { method: "POST", path: V1.TOKEN_PROVISION, contentFormat: ContentFormat.Cbor, payload } as const;
  const csr = await answered(wire.ask("the owner's chain", request), chainRefusal);
  if (isRefused(csr)) return csr;
  demandCreated("the owner's chain", csr);
  const no = await personRefuses(csr.payload, options);
  if (no !== undefined) return no;
  const issued = owner.issue(csr.payload);
  if (!issued.ok) return refused(issued.reason, `the token gets no certificate (${issued.reason}): ${issued.detail}`);
  const { certificate, deviceId, again } = issued;
  const done = await complete(certificate, deviceId, wire);
  if (isRefused(done)) return done;
  demandCreated("its certificate", done);
  return { ok: true, deviceId, certificate, again };
}
