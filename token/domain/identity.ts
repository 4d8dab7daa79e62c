import { equal, toHex } from "../../shared/bytes/index.ts";
import { cbor, decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { type Ed25519PrivateKey, ed25519FromSeed } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import { buildCsr, tokenSubject } from "../../shared/x509/index.ts";
import type { Store } from "./store.ts";

/** Holds the token's private key. */
export const IDENTITY_KEY = "identity";
const ID_BYTES = 8;

const Identity = cbor.map({ id: cbor.bytes({ size: ID_BYTES }), seed: cbor.bytes({ size: 32 }) });

/** Who this token is: made once, kept until it is wiped. */
export interface TokenIdentity {
  /** Upper-case hexadecimal without leading zeros. */
  readonly deviceId: string;
  readonly key: Ed25519PrivateKey;
}

/** Undefined when there is none yet. */
export function storedIdentity(store: Store): TokenIdentity | undefined {
  const stored = store.get(IDENTITY_KEY);
  return stored === undefined ? undefined : toIdentity(decodeCbor(Identity, stored, IDENTITY_KEY));
}

/** The stored identity, or a new one; undefined when a new one cannot be stored. */
export function identityIn(store: Store, random: Random): TokenIdentity | undefined {
  const stored = storedIdentity(store);
  if (stored !== undefined) return stored;
  const made = { id: random.bytes(ID_BYTES), seed: random.bytes(32) };
  return store.commit(new Map([[IDENTITY_KEY, encodeCbor(Identity, made)]])) === "done" ? toIdentity(made) : undefined;
}

function toIdentity({ id, seed }: { readonly id: Uint8Array; readonly seed: Uint8Array }): TokenIdentity {
  const deviceId = toHex(id)
    .replace(/^0+(?=.)/, "")
    .toUpperCase();
  return { deviceId, key: ed25519FromSeed(seed) };
}

/** The certification request that an owner answers with the token's certificate. */
export function csrOf({ deviceId, key }: TokenIdentity, random: Random): Uint8Array {
  return buildCsr({ subject: tokenSubject(deviceId), key }, random);
}

export function isOwnKey({ key }: TokenIdentity, other: Uint8Array): boolean {
  return equal(key.key, other);
}
