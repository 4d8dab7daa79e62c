/** Reasons of RFC 5280, section 5.3.1, that fit a token. */
export const revocationReasons = [
  "unspecified",
  "keyCompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "privilegeWithdrawn",
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

export interface Revocation {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly reason: string;
}

/** One issued certificate as the owner remembers it. */
export interface IssuedCertificate {
  /** Lower-case hexadecimal. */
  readonly serial: string;
  readonly deviceId: string;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** DER. */
  readonly certificate: Uint8Array;
  /** A revoked certificate is not handed out again. Tokens know nothing of it. */
  readonly revoked?: Revocation | undefined;
}

/** What was issued, oldest first. `add` returns when the entry is safe: only then the token gets its certificate. */
export interface IssuedRecord {
  list(): readonly IssuedCertificate[];
  /** Throws when it cannot be kept. */
  add(issued: IssuedCertificate): void;
}

/** What an owner keeps for good. */
export interface RevocableRecord extends IssuedRecord {
  /** Marks the certificates of these serials. Throws when it cannot be kept. */
  revoke(serials: readonly string[], revocation: Revocation): void;
}

/** For simulations: forgets with the process. */
export function memoryRecord(): RevocableRecord {
  const all: IssuedCertificate[] = [];
  return {
    list: () => all,
    add: (issued) => void all.push(issued),
    revoke(serials, revoked) {
      for (const [i, entry] of all.entries()) if (serials.includes(entry.serial)) all[i] = { ...entry, revoked };
    },
  };
}

export const issuedStates = ["good", "not-yet", "expired", "revoked"] as const;
export type IssuedState = (typeof issuedStates)[number];

/** Today's standing, in milliseconds since 1970. Revoked before all: that is what somebody decided. */
export function stateOf({ revoked, notBefore, notAfter }: IssuedCertificate, today: number): IssuedState {
  if (revoked !== undefined) return "revoked";
  if (today < notBefore) return "not-yet";
  return today > notAfter ? "expired" : "good";
}

const HEX = /^[0-9a-f]+$/;
/** Fewer digits of a serial number are more likely a mistake. */
const MIN_PREFIX = 4;

/** A device id as it stands in certificates: upper case, without 0x and leading zeros; undefined when the text is none. */
export function plainDeviceId(text: string): string | undefined {
  if (!/^(?:0x)?[0-9a-fA-F]{1,32}$/.test(text)) return undefined;
  return text
    .replace(/^0x/, "")
    .toUpperCase()
    .replace(/^0+(?=.)/, "");
}

/** The device id of the one token that has a certificate which is not revoked; undefined where there is none, or more than one. */
export function onlyToken(record: IssuedRecord): string | undefined {
  const held = record.list().filter(({ revoked }) => revoked === undefined);
  const [token, ...more] = new Set(held.map(({ deviceId }) => deviceId));
  return more.length === 0 ? token : undefined;
}

/** The certificates that `text` means: those of a device id, else the one of a serial number or of its first digits. Several when it is not clear. */
export function findIssued(record: IssuedRecord, text: string): readonly IssuedCertificate[] {
  const all = record.list();
  const device = plainDeviceId(text);
  const ofDevice = all.filter(({ deviceId }) => deviceId === device);
  if (ofDevice.length > 0) return ofDevice;
  const serial = text.replaceAll(":", "").toLowerCase(); // as openssl x509 -text prints it
  if (!HEX.test(serial) || serial.length < MIN_PREFIX) return [];
  const exact = all.filter((entry) => entry.serial === serial);
  return exact.length > 0 ? exact : all.filter((entry) => entry.serial.startsWith(serial));
}
