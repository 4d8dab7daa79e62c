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
}

/** What was issued, oldest first. `add` returns when the entry is safe: only then the token gets its certificate. */
export interface IssuedRecord {
  list(): readonly IssuedCertificate[];
  /** Throws when it cannot be kept. */
  add(issued: IssuedCertificate): void;
}

/** For simulations: forgets with the process. */
export function memoryRecord(): IssuedRecord {
  const all: IssuedCertificate[] = [];
  return { list: () => all, add: (issued) => void all.push(issued) };
}
