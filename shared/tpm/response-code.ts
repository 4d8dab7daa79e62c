/** TPM_RC, Part 2, 6.6: response codes and the typed error made of one. */
import { TpmCc } from "./command-codes.ts";

/** RC_VER1 is 0x100, RC_FMT1 0x080, RC_WARN 0x900; format-one codes stand here without parameter, handle or session number. */
export const TpmRc = {
  SUCCESS: 0x000,
  BAD_TAG: 0x01e,
  INITIALIZE: 0x100,
  FAILURE: 0x101,
  SEQUENCE: 0x103,
  DISABLED: 0x120,
  EXCLUSIVE: 0x121,
  AUTH_TYPE: 0x124,
  AUTH_MISSING: 0x125,
  POLICY: 0x126,
  PCR: 0x127,
  PCR_CHANGED: 0x128,
  UPGRADE: 0x12d,
  TOO_MANY_CONTEXTS: 0x12e,
  AUTH_UNAVAILABLE: 0x12f,
  REBOOT: 0x130,
  UNBALANCED: 0x131,
  COMMAND_SIZE: 0x142,
  COMMAND_CODE: 0x143,
  AUTHSIZE: 0x144,
  AUTH_CONTEXT: 0x145,
  NV_RANGE: 0x146,
  NV_SIZE: 0x147,
  NV_LOCKED: 0x148,
  NV_AUTHORIZATION: 0x149,
  NV_UNINITIALIZED: 0x14a,
  NV_SPACE: 0x14b,
  NV_DEFINED: 0x14c,
  BAD_CONTEXT: 0x150,
  CPHASH: 0x151,
  PARENT: 0x152,
  NEEDS_TEST: 0x153,
  NO_RESULT: 0x154,
  SENSITIVE: 0x155,
  ASYMMETRIC: 0x081,
  ATTRIBUTES: 0x082,
  HASH: 0x083,
  VALUE: 0x084,
  HIERARCHY: 0x085,
  KEY_SIZE: 0x087,
  MGF: 0x088,
  MODE: 0x089,
  TYPE: 0x08a,
  HANDLE: 0x08b,
  KDF: 0x08c,
  RANGE: 0x08d,
  AUTH_FAIL: 0x08e,
  NONCE: 0x08f,
  PP: 0x090,
  SCHEME: 0x092,
  SIZE: 0x095,
  SYMMETRIC: 0x096,
  TAG: 0x097,
  SELECTOR: 0x098,
  INSUFFICIENT: 0x09a,
  SIGNATURE: 0x09b,
  KEY: 0x09c,
  POLICY_FAIL: 0x09d,
  INTEGRITY: 0x09f,
  TICKET: 0x0a0,
  RESERVED_BITS: 0x0a1,
  BAD_AUTH: 0x0a2,
  EXPIRED: 0x0a3,
  POLICY_CC: 0x0a4,
  BINDING: 0x0a5,
  CURVE: 0x0a6,
  ECC_POINT: 0x0a7,
  CONTEXT_GAP: 0x901,
  OBJECT_MEMORY: 0x902,
  SESSION_MEMORY: 0x903,
  MEMORY: 0x904,
  SESSION_HANDLES: 0x905,
  OBJECT_HANDLES: 0x906,
  LOCALITY: 0x907,
  YIELDED: 0x908,
  CANCELED: 0x909,
  TESTING: 0x90a,
  REFERENCE_H0: 0x910,
  REFERENCE_H1: 0x911,
  REFERENCE_H2: 0x912,
  REFERENCE_S0: 0x918,
  REFERENCE_S1: 0x919,
  REFERENCE_S2: 0x91a,
  NV_RATE: 0x920,
  LOCKOUT: 0x921,
  RETRY: 0x922,
  NV_UNAVAILABLE: 0x923,
} as const;

const FORMAT_ONE = 0x080;
const PARAMETER = 0x040;
const SESSION = 0x800;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TpmRc).map(([name, code]) => [code, name]));
const COMMANDS: ReadonlyMap<number, string> = new Map(Object.entries(TpmCc).map(([name, code]) => [code, name]));

/** What a format-one code blames: the n-th parameter, handle or session, counted from 1. */
export interface TpmRcSubject {
  readonly kind: "parameter" | "handle" | "session";
  readonly number: number;
}

export interface TpmRcParts {
  /** One of TpmRc where the code is known: the response code without the number of its subject. */
  readonly base: number;
  /** "TPM_RC_VALUE", or "TPM_RC 0x..." for a code that Part 2 does not define. */
  readonly name: string;
  /** Undefined for format zero, and where the TPM gave no number. */
  readonly subject: TpmRcSubject | undefined;
}

/** Takes a response code apart: Part 2, 6.6.2. */
export function explainRc(rc: number): TpmRcParts {
  if ((rc & FORMAT_ONE) === 0) return { base: rc, name: nameOfRc(rc), subject: undefined };
  const base = rc & 0x0bf;
  const nibble = (rc >>> 8) & 0xf;
  const name = nameOfRc(base);
  if ((rc & PARAMETER) !== 0) return { base, name, subject: subject("parameter", nibble) };
  return { base, name, subject: (rc & SESSION) !== 0 ? subject("session", nibble & 7) : subject("handle", nibble) };
}

function nameOfRc(base: number): string {
  const known = NAMES.get(base);
  return known === undefined ? `TPM_RC 0x${base.toString(16)}` : `TPM_RC_${known}`;
}

function subject(kind: TpmRcSubject["kind"], number: number): TpmRcSubject | undefined {
  return number === 0 ? undefined : { kind, number };
}

/** The response code that blames the n-th (from 1) parameter, handle or session. */
export function rcFor(base: number, kind: TpmRcSubject["kind"], number: number): number {
  if (kind === "parameter") return base | PARAMETER | (number << 8);
  return base | (number << 8) | (kind === "session" ? SESSION : 0);
}

/** TPM2_Quote for 0x158; the number for a code that is not in the table. */
export function commandName(code: number): string {
  const name = COMMANDS.get(code);
  return name === undefined ? `command 0x${code.toString(16)}` : `TPM2_${name}`;
}

/** The TPM refused a command. */
export class TpmError extends Error {
  override readonly name = "TpmError";
  /** TPM_RC as it came. */
  readonly rc: number;
  /** The code without its subject's number: compare this with TpmRc. */
  readonly base: number;
  readonly rcName: string;
  readonly subject: TpmRcSubject | undefined;
  /** TPM_CC of the refused command. */
  readonly commandCode: number;

  constructor(rc: number, commandCode: number) {
    const parts = explainRc(rc);
    const blamed = parts.subject === undefined ? "" : `, ${parts.subject.kind} ${parts.subject.number}`;
    super(`${commandName(commandCode)}: ${parts.name}${blamed} (0x${rc.toString(16).padStart(3, "0")})`);
    this.rc = rc;
    this.base = parts.base;
    this.rcName = parts.name;
    this.subject = parts.subject;
    this.commandCode = commandCode;
  }
}
