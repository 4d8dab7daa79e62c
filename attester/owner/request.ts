import { CodecError } from "../../shared/bytes/index.ts";
import type { Ed25519PublicKey } from "../../shared/crypto/index.ts";
import { type Csr, deviceIdOf, parseCsr, printName, verifyCsr } from "../../shared/x509/index.ts";

/** Why a request of a token is not answered with a certificate. */
export const requestRefusals = [
  "malformed",
  "key-type",
  "subject",
  "attributes",
  "signature",
  /** Nobody said that this token would come. */
  "not-expected",
  /** A person said no. */
  "denied",
  /** The expected token came already, with another key. */
  "key-changed",
  /** The answer of a person is outstanding: the token asks again later. */
  "undecided",
] as const;
export type RequestRefusal = (typeof requestRefusals)[number];

export interface RefusedRequest {
  readonly ok: false;
  readonly reason: RequestRefusal;
  readonly detail: string;
}

/** A request whose form and signature are right; whether the token may have a certificate is another question. */
export interface TokenRequest {
  readonly ok: true;
  readonly csr: Csr;
  /** Upper-case hexadecimal. */
  readonly deviceId: string;
  readonly publicKey: Ed25519PublicKey;
}

export function refuseRequest(reason: RequestRefusal, detail: string): RefusedRequest {
  return { ok: false, reason, detail };
}

function parsed(der: Uint8Array): Csr | RefusedRequest {
  try {
    return parseCsr(der);
  } catch (error) {
    if (error instanceof CodecError) return refuseRequest("malformed", error.message);
    throw error;
  }
}

/** Checks a certification request by itself: key type, subject, attributes, signature. */
export function checkRequest(der: Uint8Array): TokenRequest | RefusedRequest {
  const csr = parsed(der);
  if (!("der" in csr)) return csr;
  const { publicKey } = csr;
  if (publicKey.type !== "ed25519")
    return refuseRequest("key-type", `a token has an Ed25519 key, this is ${publicKey.type}`);
  const deviceId = deviceIdOf(csr.subject);
  if (deviceId === undefined) {
    return refuseRequest("subject", `${printName(csr.subject)} is not O=Fobnail,serialNumber=<device id>`);
  }
  if (csr.attributeCount > 0) return refuseRequest("attributes", "a token's request has no attributes");
  if (!verifyCsr(csr)) return refuseRequest("signature", `${deviceId} has not signed with the key it names`);
  return { ok: true, csr, deviceId, publicKey };
}
