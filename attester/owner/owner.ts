import { equal } from "../../shared/bytes/index.ts";
import type { Log } from "../../shared/ports/index.ts";
import { type Certificate, encodePublicKey, isSignedBy, parseCertificate } from "../../shared/x509/index.ts";
import type { Admission } from "./admission.ts";
import type { IssueEnv } from "./issue.ts";
import { DEFAULT_DAYS, entryOf, issueTokenCertificate } from "./issue.ts";
import type { IssuedCertificate, IssuedRecord } from "./record.ts";
import { checkRequest, type RefusedRequest, type TokenRequest } from "./request.ts";

export interface OwnerEnv extends Omit<IssueEnv, "days"> {
  readonly record: IssuedRecord;
  readonly admission: Admission;
  readonly log: Log;
  /** Default 365. */
  readonly days?: number | undefined;
}

export interface Issued {
  readonly ok: true;
  readonly deviceId: string;
  readonly certificate: Certificate;
  /** It was issued before and comes out of the record. */
  readonly again: boolean;
}

/** The Platform Owner: hands out its chain, issues certificates for the tokens that are let in, remembers what it issued. */
export interface Owner {
  /** Root first, issuing CA last. */
  readonly chain: readonly Certificate[];
  /** Answers a certification request (DER). The same request again gets the same certificate. */
  issue(der: Uint8Array): Issued | RefusedRequest;
}

function isFor(certificate: Certificate, request: Pick<TokenRequest, "publicKey">): boolean {
  return equal(encodePublicKey(certificate.publicKey), encodePublicKey(request.publicKey));
}

/** A certificate of this issuing CA, for the same key, that is good today and not revoked: a token that lost our answer gets it once more. */
function remembered(request: TokenRequest, { record, material, calendar }: OwnerEnv): Certificate | undefined {
  const today = calendar.today();
  const entry = record.list().findLast((issued) => {
    if (issued.deviceId !== request.deviceId || issued.notAfter < today || issued.revoked !== undefined) return false;
    const certificate = parseCertificate(issued.certificate);
    return isFor(certificate, request) && isSignedBy(certificate, material.issuing.publicKeyInfo);
  });
  return entry === undefined ? undefined : parseCertificate(entry.certificate);
}

/** What its owner may want to know of this token's past. */
function warnOfPast({ deviceId, ...request }: TokenRequest, { record, log }: OwnerEnv): void {
  const past = record.list().filter((issued) => issued.deviceId === deviceId);
  const isOwn = ({ certificate }: IssuedCertificate) => isFor(parseCertificate(certificate), request);
  if (!past.every(isOwn)) {
    log.write("warn", `Token ${deviceId} had a certificate for another key: it was wiped, or it is another token.`);
  }
  const last = past.findLast(isOwn);
  if (last?.revoked !== undefined) {
    const { serial, revoked } = last;
    log.write("warn", `Certificate ${serial} of token ${deviceId} was revoked (${revoked.reason}); it gets a new one.`);
  }
}

/** The request, if its token may have a certificate. */
function admitted(der: Uint8Array, { admission }: OwnerEnv): TokenRequest | RefusedRequest {
  const request = checkRequest(der);
  return request.ok ? (admission.refusal(request) ?? request) : request;
}

export function createOwner(env: OwnerEnv): Owner {
  const { material, record, log, days = DEFAULT_DAYS } = env;
  return {
    chain: material.chain,
    issue(der) {
      const request = admitted(der, env);
      if (!request.ok) {
        const { reason, detail } = request;
        log.write(reason === "undecided" ? "info" : "warn", `No certificate (${reason}): ${detail}.`, { reason });
        return request;
      }
      const { deviceId } = request;
      const known = remembered(request, env);
      if (known !== undefined) {
        log.write("info", `Token ${deviceId} gets the certificate that was issued before.`, { deviceId });
        return { ok: true, deviceId, certificate: known, again: true };
      }
      warnOfPast(request, env);
      const certificate = issueTokenCertificate(request, { ...env, days });
      const entry = entryOf(deviceId, certificate);
      record.add(entry);
      log.write("info", `Issued certificate ${entry.serial} for token ${deviceId}.`, {
        deviceId,
        serial: entry.serial,
      });
      return { ok: true, deviceId, certificate, again: false };
    },
  };
}
