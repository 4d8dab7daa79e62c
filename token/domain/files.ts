import { toHex, utf8 } from "../../shared/bytes/index.ts";
import { cbor, decodeCbor, encodeCbor, type InferCbor } from "../../shared/cbor/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { Store } from "./store.ts";

/** How much one platform may keep. */
export interface FileLimits {
  /** One file's bytes. */
  readonly fileBytes: number;
  /** Files of a platform. */
  readonly files: number;
  /** Bytes of all files of a platform together. */
  readonly quotaBytes: number;
}

/** 6000 bytes are the reference's limit. */
export const DEFAULT_FILE_LIMITS: FileLimits = { fileBytes: 6_000, files: 32, quotaBytes: 65_536 };

/** Beyond these a file is no value of the store, or a platform can not be removed in one commit of a full one. */
export const FileMaximum = { FILE_BYTES: 16_000, FILES: 48 } as const;

/** What one option of a CoAP path can hold. */
const NAME_BYTES = 255;
const LONE_SURROGATE = /\p{Surrogate}/u;

const NAME_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** The name in UTF-8, as bytes, because it may begin with a byte-order mark. */
const FileRecord = cbor.map({
  name: cbor.bytes({ min: 1, max: NAME_BYTES }),
  data: cbor.bytes({ max: FileMaximum.FILE_BYTES }),
});
type FileRecord = InferCbor<typeof FileRecord>;

/** A file as listings show it. */
export interface FileSummary {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The keys of all files of a platform begin so. */
export function filesPrefix(platform: string): string {
  return `file/${platform}/`;
}

/** The name may be longer than a key, and its characters are nobody's business: the key has its digest. */
function keyOf(platform: string, name: string): string {
  return filesPrefix(platform) + toHex(digest("sha256", utf8(name)));
}

/** Whether a file may be called so: 1 to 255 bytes of UTF-8 that are a name in a folder everywhere. */
export function isFileName(name: string): boolean {
  if (name === "" || name === "." || name === "..") return false;
  if (/[/\0]/.test(name) || LONE_SURROGATE.test(name)) return false;
  return utf8(name).byteLength <= NAME_BYTES;
}

function checkLimits({ fileBytes, files, quotaBytes }: FileLimits): void {
  const fits = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  if (!fits(fileBytes, FileMaximum.FILE_BYTES)) throw new RangeError(`files of ${fileBytes} bytes`);
  if (!fits(files, FileMaximum.FILES)) throw new RangeError(`${files} files of a platform`);
  if (!fits(quotaBytes, Number.MAX_SAFE_INTEGER)) throw new RangeError(`a quota of ${quotaBytes} bytes`);
}

/** The files that platforms keep on the token, each platform's apart. RangeError for limits over FileMaximum. */
export function filesIn(store: Store, limits: FileLimits) {
  checkLimits(limits);
  const readKey = (key: string): FileRecord | undefined => {
    const bytes = store.get(key);
    return bytes === undefined ? undefined : decodeCbor(FileRecord, bytes, "file");
  };
  const list = (platform: string): readonly FileSummary[] =>
    store
      .keys(filesPrefix(platform))
      .flatMap((key) => readKey(key) ?? [])
      .map(({ name, data }) => ({ name: NAME_DECODER.decode(name), sizeBytes: data.byteLength }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  const usage = (platform: string): { readonly files: number; readonly bytes: number } => {
    const files = list(platform);
    return { files: files.length, bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  };

  return {
    limits,
    isName: isFileName,
    /** Sorted by name. */
    list,
    usage,
    read: (platform: string, name: string): Uint8Array | undefined => readKey(keyOf(platform, name))?.data,
    /**
     * The whole file in one commit: after a power cut it is the old or the new one. A refusal changes nothing. RangeError for
     * what is no name.
     */
    write(
      platform: string,
      name: string,
      data: Uint8Array,
    ): "created" | "replaced" | "too-large" | "quota" | "storage-full" {
      if (!isFileName(name)) throw new RangeError("not the name of a file");
      if (data.byteLength > limits.fileBytes) return "too-large";
      const key = keyOf(platform, name);
      const former = readKey(key)?.data.byteLength;
      const { files, bytes } = usage(platform);
      if (former === undefined && files >= limits.files) return "quota";
      // a file that shrinks is taken also over a quota that was lowered since
      if (data.byteLength > (former ?? 0) && bytes - (former ?? 0) + data.byteLength > limits.quotaBytes)
        return "quota";
      const record = encodeCbor(FileRecord, { name: utf8(name), data });
      if (store.commit(new Map([[key, record]])) === "storage-full") return "storage-full";
      return former === undefined ? "created" : "replaced";
    },
    /** Also takes what is no name: there is none of it. */
    remove(platform: string, name: string): "removed" | "absent" {
      const key = keyOf(platform, name);
      if (store.keys(key).length === 0) return "absent";
      if (store.commit(new Map([[key, undefined]])) !== "done") throw new Error("files: no room to remove one");
      return "removed";
    },
  };
}
export type Files = ReturnType<typeof filesIn>;
