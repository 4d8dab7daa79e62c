/** Sessions as a caller has them, for tests that authorize, encrypt and audit with HMAC sessions: Part 1, 19.6 and 21. */
import assert from "node:assert/strict";
import { concat, encode, Reader, u8, u16be, u32be } from "../../../../../shared/bytes/index.ts";
import { aesCfbDecrypt, aesCfbEncrypt, digest, type HashName, hmac, kdfa } from "../../../../../shared/crypto/index.ts";
import {
  TpmaSessionBit as Bit,
  decodeResponse,
  encodeCommand,
  type TpmResponse,
  type TpmsAuthCommand,
} from "../../../../../shared/tpm/index.ts";

const NONE = new Uint8Array(0);

/** One session of one TPM. */
export interface LiveSession {
  readonly handle: number;
  readonly hash: HashName;
  readonly key: Uint8Array;
  readonly symmetric: "aes" | "xor" | "none";
  nonceTpm: Uint8Array;
}

/** What a session does in one command. */
export interface Use {
  readonly session: LiveSession;
  readonly attributes: number;
  /** authValue in the HMAC key. */
  readonly auth?: Uint8Array;
  /** authValue in the encryption key, where it is not the same: that of the entity that a bound session authorizes. */
  readonly encryptionAuth?: Uint8Array;
}

export interface SessionCommand {
  readonly code: number;
  readonly handles: readonly { readonly handle: number; readonly name: Uint8Array }[];
  readonly parameters: Uint8Array;
  readonly uses: readonly (Use | TpmsAuthCommand)[];
}

export const CALLER = new Uint8Array(16).fill(0x11);

const isUse = (one: Use | TpmsAuthCommand): one is Use => "session" in one;

/** sessionKey, Part 1, 19.6.8. */
export function sessionKey(hash: HashName, secret: Uint8Array, nonceTpm: Uint8Array, bits = 256): Uint8Array {
  return kdfa(hash, secret, "ATH", nonceTpm, CALLER, bits);
}

function crypt(use: Use, newer: Uint8Array, older: Uint8Array, parameters: Uint8Array, cfb: typeof aesCfbEncrypt) {
  const { session, encryptionAuth = use.auth ?? NONE } = use;
  const size = new Reader(parameters).u16be();
  const data = parameters.subarray(2, 2 + size);
  const secret = concat(session.key, encryptionAuth);
  let made: Uint8Array;
  if (session.symmetric === "aes") {
    const key = kdfa(session.hash, secret, "CFB", newer, older, 256);
    made = cfb(key.subarray(0, 16), key.subarray(16), data);
  } else {
    const mask = kdfa(session.hash, secret, "XOR", newer, older, size * 8);
    made = data.map((byte, i) => byte ^ (mask[i] ?? 0));
  }
  return concat(encode(u16be, size), made, parameters.subarray(2 + size));
}

/** The whole command, its first parameter encrypted if a session says so, with the HMACs that belong to it. */
export function signedCommand({ code, handles, parameters, uses }: SessionCommand): Uint8Array {
  const ours = uses.map((one) => (isUse(one) ? one : undefined));
  const decrypt = ours.find((use) => use !== undefined && (use.attributes & Bit.DECRYPT) !== 0);
  const encrypt = ours.find((use) => use !== undefined && (use.attributes & Bit.ENCRYPT) !== 0);
  const sent =
    decrypt === undefined ? parameters : crypt(decrypt, CALLER, decrypt.session.nonceTpm, parameters, aesCfbEncrypt);
  const sessions = uses.map((use, i): TpmsAuthCommand => {
    if (!isUse(use)) return use;
    const { session, attributes, auth = NONE } = use;
    const cpHash = digest(session.hash, encode(u32be, code), ...handles.map(({ name }) => name), sent);
    const authorizesFirst = i === 0 && handles.length > 0;
    const others = [...new Set([decrypt, encrypt])].filter((other) => other !== undefined && other !== use);
    const extra = authorizesFirst ? others.map((other) => other?.session.nonceTpm ?? NONE) : [];
    const key = concat(session.key, auth);
    const mac = hmac(session.hash, key, cpHash, CALLER, session.nonceTpm, ...extra, encode(u8, attributes));
    return { sessionHandle: session.handle, nonce: CALLER, sessionAttributes: attributes, hmac: mac };
  });
  return encodeCommand({ commandCode: code, handles: handles.map(({ handle }) => handle), sessions, parameters: sent });
}

/** Checks the HMACs of a good answer, takes the new nonces; gives the parameters in clear and the attributes of each session. */
export function openAnswer(
  { code, uses }: SessionCommand,
  answer: Uint8Array,
  handleCount: number,
  newAuth?: Uint8Array,
): TpmResponse {
  const response = decodeResponse(answer, handleCount);
  let { parameters } = response;
  uses.forEach((use, i) => {
    const got = response.sessions[i] ?? assert.fail("a session is missing");
    if (!isUse(use)) return;
    const { session, auth = NONE } = use;
    const rpHash = digest(session.hash, encode(u32be, 0), encode(u32be, code), response.parameters);
    const key = concat(session.key, newAuth ?? auth);
    const mac = hmac(session.hash, key, rpHash, got.nonce, CALLER, encode(u8, got.sessionAttributes));
    assert.deepEqual(got.hmac, mac, "HMAC of the answer");
    session.nonceTpm = got.nonce;
    if ((use.attributes & Bit.ENCRYPT) !== 0) parameters = crypt(use, got.nonce, CALLER, parameters, aesCfbDecrypt);
  });
  return { ...response, parameters };
}
