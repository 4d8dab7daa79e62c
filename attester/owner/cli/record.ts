import { realCalendar } from "../../../hw/clock/real.ts";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { parseCertificate, printName, toPem } from "../../../shared/x509/index.ts";
import { Exit, Stop } from "../../cli/exit.ts";
import { findIssued, type IssuedCertificate, plainDeviceId, type RevocationReason, stateOf } from "../record.ts";
import { openExistingRecord } from "./files.ts";
import { dayOf, momentOf, tableOf } from "./table.ts";

/** `list`, `show` and `revoke`: the record of issued certificates. */

interface Output {
  readonly json: boolean;
}

function facts(entry: IssuedCertificate): Record<string, unknown> {
  const { deviceId, serial, subject, notBefore, notAfter, revoked } = entry;
  return {
    deviceId,
    serial,
    subject,
    from: momentOf(notBefore),
    until: momentOf(notAfter) ?? null,
    state: stateOf(entry, realCalendar.today()),
    ...(revoked === undefined ? {} : { revokedAt: momentOf(revoked.at), reason: revoked.reason }),
  };
}

export function list(folder: string, { json }: Output): void {
  const entries = openExistingRecord(folder).record.list();
  if (json) {
    for (const entry of entries) console.log(jsonLine(facts(entry)));
    return;
  }
  if (entries.length === 0) {
    console.log("No certificate was issued yet.");
    return;
  }
  const today = realCalendar.today();
  const rows = entries.map((entry) => {
    const { deviceId, notBefore, notAfter, serial } = entry;
    return [deviceId, dayOf(notBefore), dayOf(notAfter), stateOf(entry, today), serial];
  });
  console.log(tableOf(["DEVICE", "FROM", "UNTIL", "STATE", "SERIAL"], rows));
}

function found(folder: string, text: string) {
  const { path, record } = openExistingRecord(folder);
  const entries = findIssued(record, text);
  if (entries.length === 0)
    throw new Stop(Exit.Refused, `${path} has no certificate of device or serial number ${text}`);
  return { record, entries };
}

/** The certificate as PEM, and what it says besides. */
function details(entry: IssuedCertificate): { readonly pem: string; readonly [field: string]: string } {
  const certificate = parseCertificate(entry.certificate);
  const { publicKey, issuer, extensions } = certificate;
  return {
    issuer: printName(issuer),
    key: publicKey.type === "ed25519" ? `Ed25519 ${toHex(publicKey.key)}` : publicKey.type,
    keyIdentifier: toHex(extensions.subjectKeyIdentifier ?? new Uint8Array()),
    issuerKeyIdentifier: toHex(extensions.authorityKeyIdentifier?.keyIdentifier ?? new Uint8Array()),
    sha256: toHex(digest("sha256", entry.certificate)),
    pem: toPem("CERTIFICATE", entry.certificate),
  };
}

function showOne(entry: IssuedCertificate): string {
  const { pem, ...more } = details(entry);
  const { revoked } = entry;
  const state = stateOf(entry, realCalendar.today());
  const since = revoked === undefined ? "" : ` ${momentOf(revoked.at)} (${revoked.reason})`;
  const lines = [
    ["Device id", entry.deviceId],
    ["State", `${state}${since}`],
    ["Serial", entry.serial],
    ["Subject", entry.subject],
    ["Issuer", more["issuer"] ?? ""],
    ["From", momentOf(entry.notBefore) ?? "never"],
    ["Until", momentOf(entry.notAfter) ?? "never"],
    ["Key", more["key"] ?? ""],
    ["Key identifier", more["keyIdentifier"] ?? ""],
    ["Issuer's", more["issuerKeyIdentifier"] ?? ""],
    ["SHA-256", more["sha256"] ?? ""],
  ];
  return `${tableOf(["", ""], lines).trimStart()}\n${pem}`;
}

export function show(folder: string, text: string, { json }: Output): void {
  for (const entry of found(folder, text).entries) {
    console.log(json ? jsonLine({ ...facts(entry), ...details(entry) }) : showOne(entry));
  }
}

export function revoke(folder: string, text: string, { reason }: { readonly reason: RevocationReason }): void {
  const { record, entries } = found(folder, text);
  if (entries.length > 1 && entries.some(({ deviceId }) => deviceId !== plainDeviceId(text))) {
    const serials = entries.map(({ serial }) => serial).join(" or ");
    throw new Stop(Exit.Refused, `${text} may be ${serials}: more digits are needed`);
  }
  for (const { serial, deviceId, revoked } of entries) {
    if (revoked === undefined) continue;
    console.log(`Certificate ${serial} of token ${deviceId} was revoked ${momentOf(revoked.at)} (${revoked.reason}).`);
  }
  const due = entries.filter(({ revoked }) => revoked === undefined);
  if (due.length === 0) return;
  record.revoke(
    due.map(({ serial }) => serial),
    { at: realCalendar.today(), reason },
  );
  for (const { serial, deviceId } of due)
    console.log(`Revoked certificate ${serial} of token ${deviceId} (${reason}).`);
}
