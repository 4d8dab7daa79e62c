import { CodecError, equal, toHex } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import { Limit } from "../../shared/protocol/index.ts";
import { type Certificate, parseCertificate } from "../../shared/x509/index.ts";
import type { Store } from "./store.ts";

const ROOTS_PREFIX = "root/";
const OWNER_KEY = `${ROOTS_PREFIX}owner`;
const EK_PREFIX = `${ROOTS_PREFIX}ek/`;

/** The root certificates in the token's storage. */
export function rootsIn(store: Store) {
  return {
    owner(): Certificate | undefined {
      return read(store.get(OWNER_KEY));
    },
    ek(): readonly Certificate[] {
      return store.keys(EK_PREFIX).flatMap((key) => read(store.get(key)) ?? []);
    },
    /** Keeps roots that are not there yet. RangeError for one that is larger than any certificate in a message may be. */
    add(owner: Certificate | undefined, ek: readonly Certificate[]): "done" | "storage-full" {
      const changes = new Map<string, Uint8Array>();
      const put = (key: string, der: Uint8Array) => {
        if (der.byteLength > Limit.CERTIFICATE_BYTES)
          throw new RangeError(`a root certificate of ${der.byteLength} bytes`);
        const stored = store.get(key);
        if (stored === undefined || !equal(stored, der)) changes.set(key, der);
      };
      if (owner !== undefined) put(OWNER_KEY, owner.der);
      for (const { der } of ek) put(EK_PREFIX + toHex(digest("sha256", der)).slice(0, 32), der);
      return changes.size === 0 ? "done" : store.commit(changes);
    },
  };
}
export type Roots = ReturnType<typeof rootsIn>;

/** Back to a new token that still knows its roots: they are no secret, and were put there by who holds the token. */
export function wipeAllButRoots(store: Store): void {
  store.wipe(ROOTS_PREFIX);
  const useless = store.keys(ROOTS_PREFIX).filter((key) => read(store.get(key)) === undefined);
  store.commit(new Map(useless.map((key) => [key, undefined])));
}

/** Undefined also for what an earlier version kept and this one does not take for a certificate: it vouches for nothing. */
function read(der: Uint8Array | undefined): Certificate | undefined {
  try {
    return der === undefined ? undefined : parseCertificate(der);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
