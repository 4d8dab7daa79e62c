/** What an entry of IMA's list says: Linux, security/integrity/ima/ima_template.c and ima_template_lib.c; little-endian. */
import {
  type Codec,
  concat,
  decode,
  fixed,
  framed,
  type Infer,
  mapped,
  type Reader,
  rest,
  sized,
  struct,
  u32le,
  utf8,
  type Writer,
} from "../bytes/index.ts";
import { digest, digestSize } from "../crypto/index.ts";
import { hashNameOf } from "../tpm/index.ts";
import { MAX_EVENT_BYTES } from "./spec-id.ts";
import { textOf } from "./text.ts";

/** TCG_EVENT_NAME_LEN_MAX: of a template's name, and of a file's name in the first template. */
const MAX_NAME_BYTES = 255;
/** PATH_MAX and its NUL. */
const MAX_PATH_BYTES = 4097;
const MAX_SIGNATURE_BYTES = 65_536;
const SHA1_BYTES = 20;
/** Name of the hash, colon, NUL and digest. */
const MAX_NAMED_DIGEST_BYTES = 128;

/** What stands behind PCR and template hash; LogEvent.data of an IMA event is one of these as it was read. */
export interface ImaTemplate {
  /** `ima`, `ima-ng`, `ima-sig`; any other, also a list of fields such as `d-ng|n-ng`. */
  readonly template: string;
  /** All fields as they lie in the list. */
  readonly data: Uint8Array;
}

/** Template `ima`: SHA-1 or MD5 of the file, its name without NUL. The only one that does not say how long its data are. */
const Ima = struct("ima", { digest: fixed(SHA1_BYTES), name: sized(u32le, MAX_NAME_BYTES) });

export const ImaTemplateName: Codec<string> = mapped(
  sized(u32le, MAX_NAME_BYTES, 1),
  (bytes) => (bytes.every((byte) => byte > 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : undefined),
  utf8,
);
const TemplateData = sized(u32le, MAX_EVENT_BYTES);

export const ImaTemplate: Codec<ImaTemplate> = {
  read(from: Reader) {
    const template = ImaTemplateName.read(from);
    if (template !== "ima") return { template, data: TemplateData.read(from) };
    const { digest: fileDigest, name } = Ima.read(from);
    return { template, data: concat(fileDigest, encodedLength(name), name) };
  },
  write(to: Writer, { template, data }: ImaTemplate) {
    ImaTemplateName.write(to, template);
    if (template === "ima") to.bytes(data);
    else TemplateData.write(to, data);
  },
};

function encodedLength({ byteLength }: Uint8Array): Uint8Array {
  return Uint8Array.of(byteLength & 0xff, byteLength >> 8, 0, 0);
}

/** Field d-ng: the hash's name as the kernel's crypto calls it, a colon, NUL, the digest. */
const NamedDigest = mapped(
  rest,
  (bytes) => {
    const nul = bytes.indexOf(0);
    const name = String.fromCharCode(...bytes.subarray(0, Math.max(nul, 0)));
    return /^[a-z0-9:-]{1,32}:$/.test(name)
      ? { algorithm: name.slice(0, -1), digest: bytes.subarray(nul + 1) }
      : undefined;
  },
  ({ algorithm, digest: value }) => concat(utf8(`${algorithm}:\0`), value),
);

/** Field n-ng: a path with its NUL, in whatever bytes the file system has. */
const Path = mapped(
  sized(u32le, MAX_PATH_BYTES, 1),
  (bytes) => (bytes.indexOf(0) === bytes.byteLength - 1 ? bytes.subarray(0, -1) : undefined),
  (bytes) => concat(bytes, Uint8Array.of(0)),
);

const ngFields = { file: framed(u32le, NamedDigest, MAX_NAMED_DIGEST_BYTES), path: Path } as const;
const ImaNg = struct("ima-ng", ngFields);
const ImaSig = struct("ima-sig", { ...ngFields, signature: sized(u32le, MAX_SIGNATURE_BYTES) });

/** What is known of the file that an entry is about. */
export interface ImaFile {
  readonly algorithm: string;
  readonly digest: Uint8Array;
  /** Bytes of a path; mostly UTF-8. */
  readonly path: Uint8Array;
  /** Of template ima-sig; empty when the file has none. */
  readonly signature?: Uint8Array;
}

/** The fields of ima, ima-ng and ima-sig; undefined for other templates. CodecError when the data are not what the template says. */
export function imaFileOf({ template, data }: ImaTemplate): ImaFile | undefined {
  switch (template) {
    case "ima": {
      const { digest: fileDigest, name } = decode(Ima, data);
      return { algorithm: "sha1", digest: fileDigest, path: name };
    }
    case "ima-ng":
    case "d-ng|n-ng":
      return fileOf(decode(ImaNg, data));
    case "ima-sig":
    case "d-ng|n-ng|sig": {
      const fields = decode(ImaSig, data);
      return { ...fileOf(fields), signature: fields.signature };
    }
    default:
      return undefined;
  }
}

function fileOf({ file, path }: Infer<typeof ImaNg>): ImaFile {
  return { ...file, path };
}

/**
 * The digest of a template in one bank, as the kernel extends it: over all fields with their lengths; of template ima over the file's
 * digest and its name filled up to 256 bytes. RangeError when the hash is not one that we compute.
 */
export function imaTemplateHash({ template, data }: ImaTemplate, hash: number): Uint8Array {
  const name = hashNameOf(hash);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${hash.toString(16)} is no hash known here`);
  if (template !== "ima") return digest(name, data);
  const { digest: fileDigest, name: fileName } = decode(Ima, data);
  return digest(name, fileDigest, fileName, new Uint8Array(MAX_NAME_BYTES + 1 - fileName.byteLength));
}

/** What a bank takes for a violation, a file that was written while it was measured: all ones. */
export function imaViolation(hash: number): Uint8Array | undefined {
  const name = hashNameOf(hash);
  return name === undefined ? undefined : new Uint8Array(digestSize(name)).fill(0xff);
}

/** A sentence on LogEvent.data of an IMA event, without digests: the same file, changed, has the same words. CodecError. */
export function describeImaEvent(data: Uint8Array): string {
  const template = decode(ImaTemplate, data);
  const file = imaFileOf(template);
  if (file === undefined) return `IMA entry of template ${template.template}: ${template.data.byteLength} bytes`;
  const path = textOf(file.path);
  return path === "boot_aggregate" ? "IMA boot aggregate" : `IMA measured ${path}`;
}
