import { decode, toHex } from "../../shared/bytes/index.ts";
import { cbor, decodeCbor, encodeCbor, type InferCbor } from "../../shared/cbor/index.ts";
import { digest, type EcPublicKey, type RsaPublicKey } from "../../shared/crypto/index.ts";
import { decodeRim, Limit, Metadata } from "../../shared/protocol/index.ts";
import { type PcrBank, publicKeyOf, Tpm2bPublic, TpmaObjectBit } from "../../shared/tpm/index.ts";
import type { PlatformSummary } from "./events.ts";
import type { Store } from "./store.ts";

const PREFIX = "platform/";

/** One record, so that AIK, metadata and reference values are written and read together or not at all. */
const PlatformRecord = cbor.map({
  aik: cbor.bytes({ min: 1, max: Limit.PUBLIC_BYTES }),
  metadata: cbor.bytes({ min: 1, max: Limit.METADATA_BYTES }),
  rim: cbor.bytes({ min: 1, max: Limit.RIM_BYTES }),
});
type PlatformRecord = InferCbor<typeof PlatformRecord>;

/** An enrolled platform as appraisal needs it. */
export interface Platform {
  readonly summary: PlatformSummary;
  readonly key: RsaPublicKey | EcPublicKey;
  /** Whether the AIK is restricted, so that it signs no evidence but its TPM's. */
  readonly restricted: boolean;
  readonly reference: readonly PcrBank[];
}

/** SHA-256 over the metadata's bytes, lower-case hex. */
export function platformId(metadata: Uint8Array): string {
  return toHex(digest("sha256", metadata));
}

/** The platforms that the token knows. Records are written by this file only, so one that does not decode is damage: it throws. */
export function platformsIn(store: Store) {
  const read = (id: string): Platform | undefined => {
    const bytes = store.get(PREFIX + id);
    return bytes === undefined ? undefined : toPlatform(id, decodeCbor(PlatformRecord, bytes, `${PREFIX}${id}`));
  };
  return {
    find: read,
    list(): readonly PlatformSummary[] {
      const ids = store.keys(PREFIX).map((key) => key.slice(PREFIX.length));
      return ids.sort().flatMap((id) => read(id)?.summary ?? []);
    },
    get count(): number {
      return store.keys(PREFIX).length;
    },
    /** One commit. */
    add(record: PlatformRecord): "done" | "storage-full" {
      return store.commit(new Map([[PREFIX + platformId(record.metadata), encodeCbor(PlatformRecord, record)]]));
    },
  };
}
export type Platforms = ReturnType<typeof platformsIn>;

function toPlatform(id: string, { aik, metadata, rim }: PlatformRecord): Platform {
  const area = decode(Tpm2bPublic, aik, "aik");
  const key = publicKeyOf(area);
  if (key === undefined) throw new Error(`platform ${id}: the stored AIK has no key`);
  const restricted = (area.objectAttributes & TpmaObjectBit.RESTRICTED) !== 0;
  return { summary: summarize(metadata), key, restricted, reference: decodeRim(rim) };
}

/** The metadata must have been checked. */
export function summarize(metadata: Uint8Array): PlatformSummary {
  const { manufacturer, product_name, serial_number } = decodeCbor(Metadata, metadata, "metadata");
  return { id: platformId(metadata), manufacturer, productName: product_name, serialNumber: serial_number };
}
