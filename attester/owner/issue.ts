import { toHex } from "../../shared/bytes/index.ts";
import type { Calendar, Random } from "../../shared/ports/index.ts";
import { buildTokenCertificate, type Certificate, printName } from "../../shared/x509/index.ts";
import type { OwnerMaterial } from "./material.ts";
import type { IssuedCertificate } from "./record.ts";
import type { TokenRequest } from "./request.ts";

export const DEFAULT_DAYS = 365;
const MS_PER_DAY = 86_400_000;
const MS_PER_SECOND = 1000;

export interface IssueEnv {
  readonly material: OwnerMaterial;
  readonly random: Random;
  readonly calendar: Calendar;
  /** How long the certificate is good for; it never outlives the issuing CA that is good today. */
  readonly days: number;
}

function end(today: number, days: number, issuing: Certificate): number {
  const wanted = today + days * MS_PER_DAY;
  const limit = issuing.notAfter ?? wanted;
  return limit > today ? Math.min(wanted, limit) : wanted;
}

/** The certificate of a token that is let in. */
export function issueTokenCertificate({ csr, publicKey }: TokenRequest, env: IssueEnv): Certificate {
  const notBefore = Math.floor(env.calendar.today() / MS_PER_SECOND) * MS_PER_SECOND;
  const { issuing, key, scheme } = env.material;
  const notAfter = end(notBefore, env.days, issuing);
  return buildTokenCertificate(
    { subject: csr.subject, publicKey, notBefore, notAfter, signatureScheme: scheme },
    { certificate: issuing, key },
    env.random,
  );
}

export function entryOf(deviceId: string, certificate: Certificate): IssuedCertificate {
  return {
    serial: toHex(certificate.serial),
    deviceId,
    subject: printName(certificate.subject),
    notBefore: certificate.notBefore ?? 0,
    notAfter: certificate.notAfter ?? Number.MAX_SAFE_INTEGER,
    certificate: certificate.der,
  };
}
