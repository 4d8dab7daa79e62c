import { equal, toHex } from "../../shared/bytes/index.ts";
import { cbor, decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { type Ed25519PrivateKey, ed25519FromSeed } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import { buildCsr, tokenSubject } from "../../shared/x509/index.ts";
import type { Store } from "./store.ts";

const KEY = "identity";
const ID_BYTES = 8;

const Identity = cbor.map({ id: cbor.bytes({ size: ID_BYTES }), seed: cbor.bytes({ size: 32 }) });

/** Who this token is: made once, kept until it is wiped. */
export interface TokenIdentity {
  /** Upper-case hexadecimal without leading zeros. */
  readonly deviceId: string;
  readonly key: Ed25519PrivateKey;
}

/** The stored identity, or a new one; undefined when a new one cannot be stored. */
export function identityIn(store: Store, random: Random): TokenIdentity | undefined {
  const stored = store.get(KEY);
  if (stored !== undefined) return toIdentity(decodeCbor(Identity, stored, KEY));
  const made = { id: random.bytes(ID_BYTES), seed: random.bytes(32) };
  return store.commit(new Map([[KEY, encodeCbor(Identity, made)]])) === "done" ? toIdentity(made) : undefined;
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
