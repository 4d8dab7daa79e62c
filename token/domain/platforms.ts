import { decode, toHex, utf8 } from "../../shared/bytes/index.ts";
import { cbor, decodeCbor, encodeCbor, type InferCbor } from "../../shared/cbor/index.ts";
import { digest, type EcPublicKey, type RsaPublicKey } from "../../shared/crypto/index.ts";
import { decodeRim, Limit, Metadata } from "../../shared/protocol/index.ts";
import { type PcrBank, publicKeyOf, Tpm2bPublic, TpmaObjectBit } from "../../shared/tpm/index.ts";
import type { PlatformSummary } from "./events.ts";
import { filesPrefix } from "./files.ts";
import { KEPT_LOG_BYTES } from "./log-record.ts";
import type { RememberingStore } from "./remembering.ts";

const PREFIX = "platform/";
const NAME_PREFIX = "platform-name/";

/** One record, so that AIK, metadata, reference values and event log are written and read together or not at all. */
const PlatformRecord = cbor.map({
  aik: cbor.bytes({ min: 1, max: Limit.PUBLIC_BYTES }),
  metadata: cbor.bytes({ min: 1, max: Limit.METADATA_BYTES }),
  rim: cbor.bytes({ min: 1, max: Limit.RIM_BYTES }),
  log: cbor.optional(cbor.bytes({ min: 1, max: KEPT_LOG_BYTES })),
});
type PlatformRecord = InferCbor<typeof PlatformRecord>;

/** An enrolled platform as appraisal needs it. */
export interface Platform {
  readonly summary: PlatformSummary;
  readonly key: RsaPublicKey | EcPublicKey;
  /** Whether the AIK is restricted, so that it signs no evidence but its TPM's. */
  readonly restricted: boolean;
  readonly reference: readonly PcrBank[];
  /** What replays to the reference values, where the platform had a log; packed. */
  readonly log: Uint8Array | undefined;
}

const NAME_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** SHA-256 over the metadata's bytes, lower-case hex. */
export function platformId(metadata: Uint8Array): string {
  return toHex(digest("sha256", metadata));
}

/** What a platform says of itself, in the one encoding that is written here: CBOR has several of one map. */
function wordsOf(metadata: Uint8Array): string {
  return toHex(encodeCbor(Metadata, decodeCbor(Metadata, metadata, "metadata")));
}

/** The platforms that the token knows. Records are written by this file only, so one that does not decode is damage: it throws. */
export function platformsIn(store: RememberingStore) {
  const recordOf = (id: string): PlatformRecord | undefined => {
    const bytes = store.get(PREFIX + id);
    return bytes === undefined ? undefined : decodeCbor(PlatformRecord, bytes, `${PREFIX}${id}`);
  };
  const read = store.remembered((id): Platform | undefined => {
    const record = recordOf(id);
    return record === undefined ? undefined : toPlatform(id, record);
  });
  const said = store.remembered((id): { readonly words: string } | undefined => {
    const record = recordOf(id);
    return record === undefined ? undefined : { words: wordsOf(record.metadata) };
  });
  const ids = (): readonly string[] => store.keys(PREFIX).map((key) => key.slice(PREFIX.length));
  const known = (id: string): boolean => store.get(PREFIX + id) !== undefined;
  return {
    find: read,
    /** Whether one says the same of itself, in whatever bytes. The metadata must have been checked. */
    knowsWords(metadata: Uint8Array): boolean {
      const words = wordsOf(metadata);
      return ids().some((id) => said(id)?.words === words);
    },
    list: (): readonly PlatformSummary[] =>
      ids()
        .toSorted()
        .flatMap((id) => read(id)?.summary ?? []),
    get count(): number {
      return store.keys(PREFIX).length;
    },
    /** The owner's name for it; empty until there is one. */
    nameOf: (id: string): string => NAME_DECODER.decode(store.get(NAME_PREFIX + id) ?? new Uint8Array()),
    /** An empty name takes the name away. RangeError for one over Limit.PLATFORM_NAME_BYTES. */
    rename(id: string, name: string): "done" | "unknown" | "storage-full" {
      if (!known(id)) return "unknown";
      const bytes = utf8(name);
      if (bytes.byteLength > Limit.PLATFORM_NAME_BYTES) throw new RangeError(`a name of ${bytes.byteLength} bytes`);
      return store.commit(new Map([[NAME_PREFIX + id, bytes.byteLength === 0 ? undefined : bytes]]));
    },
    /** The platform, its name and its files in one commit; undefined when it is not known. */
    remove(id: string): PlatformSummary | undefined {
      const platform = read(id);
      if (platform === undefined) return undefined;
      const keys = [PREFIX + id, NAME_PREFIX + id, ...store.keys(filesPrefix(id))];
      if (store.commit(new Map(keys.map((key) => [key, undefined]))) !== "done") {
        throw new Error("platforms: no room to remove one");
      }
      return platform.summary;
    },
    /** One commit. */
    add(record: PlatformRecord): "done" | "storage-full" {
      if (store.keys(PREFIX).length >= Limit.PLATFORMS) return "storage-full";
      return store.commit(new Map([[PREFIX + platformId(record.metadata), encodeCbor(PlatformRecord, record)]]));
    },
  };
}
export type Platforms = ReturnType<typeof platformsIn>;

function toPlatform(id: string, { aik, metadata, rim, log }: PlatformRecord): Platform {
  const area = decode(Tpm2bPublic, aik, "aik");
  const key = publicKeyOf(area);
  if (key === undefined) throw new Error(`platform ${id}: the stored AIK has no key`);
  const restricted = (area.objectAttributes & TpmaObjectBit.RESTRICTED) !== 0;
  return { summary: summarize(metadata), key, restricted, reference: decodeRim(rim), log };
}

/** The metadata must have been checked. */
export function summarize(metadata: Uint8Array): PlatformSummary {
  const { manufacturer, product_name, serial_number } = decodeCbor(Metadata, metadata, "metadata");
  return { id: platformId(metadata), manufacturer, productName: product_name, serialNumber: serial_number };
}
