/** Public areas, keys and numbers that generated commands are made of, as hexadecimal digits. */
import { toHex } from "../../../../../../shared/bytes/index.ts";
import {
  digest,
  ecdsaSign,
  generateEcKey,
  generateRsaKey,
  hmac,
  rsaPkcs1Sign,
} from "../../../../../../shared/crypto/index.ts";
import { seededRandom } from "../../../../../support/random.ts";

const random = seededRandom("generated", "material");
const ec = generateEcKey(random, "P-256");
const ec384 = generateEcKey(random, "P-384");
const rsa = generateRsaKey(random, 2048);
const digestBytes = new Uint8Array(32).fill(0x11);
const size = (text: string) => (text.length / 2).toString(16).padStart(4, "0") + text;

export const DIGEST = size(toHex(digestBytes));

/** EK's policy, PolicySecret(endorsement). */
export const EK_POLICY = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
/** PolicyAuthValue, and PolicyCommandCode(Certify), both with SHA-256. */
const extended = (code: string, rest = "") =>
  toHex(digest("sha256", new Uint8Array(32), Buffer.from(code + rest, "hex")));
export const AUTH_POLICY = extended("0000016b");
export const CERTIFY_POLICY = extended("0000016c", "00000148");

const area = (type: string, attributes: string, policy: string, parameters: string, unique: string) =>
  size(`${type}000b${attributes}${size(policy)}${parameters}${unique}`);
const ECC = (scheme: string, curve = "0003", symmetric = "0010") => `${symmetric}${scheme}${curve}0010`;

/** Attributes that are good, and some that are not. */
export const ATTRIBUTES = {
  storage: ["00030072", "00030472", "000300b2", "00030460"],
  sign: ["00040072", "00040472", "00050072", "00050472", "00060472", "000400b2", "00040040"],
  data: ["00000052", "00000452", "00000440", "00000092"],
  hmac: ["00040072", "00040472", "00050072", "00040452"],
  bad: ["00070072", "00010072", "00000072", "00040070", "000404f6", "000c0472", "00030c72", "00041472"],
} as const;

export const TEMPLATES: Readonly<Record<string, (attributes: string, policy: string) => string>> = {
  storage: (attributes, policy) => area("0023", attributes, policy, ECC("0010", "0003", "000600800043"), "00000000"),
  ecdsa: (attributes, policy) => area("0023", attributes, policy, ECC("0018000b"), "00000000"),
  ecdsa384: (attributes, policy) => area("0023", attributes, policy, ECC("0018000c", "0004"), "00000000"),
  open: (attributes, policy) => area("0023", attributes, policy, ECC("0010"), "00000000"),
  data: (attributes, policy) => area("0008", attributes, policy, "0010", "0000"),
  hmac: (attributes, policy) => area("0008", attributes, policy, "0005000b", "0000"),
  xor: (attributes, policy) => area("0008", attributes, policy, "000a000b0022", "0000"),
  oaep: (attributes, policy) => area("0001", attributes, policy, "00100017000b080000000000", "0000"),
};

const point = size(toHex(ec.x)) + size(toHex(ec.y));
const point384 = size(toHex(ec384.x)) + size(toHex(ec384.y));
const hmacKey = new Uint8Array(32).fill(0x22);
const seed = new Uint8Array(32).fill(0x33);
const hmacUnique = toHex(digest("sha256", seed, hmacKey));

/** inPrivate and inPublic of TPM2_LoadExternal. */
export const EXTERNAL = {
  ec: `0000 ${area("0023", "00040440", "", ECC("0010"), point)}`,
  "ec with a scheme": `0000 ${area("0023", "00040440", "", ECC("0018000b"), point)}`,
  "ec with another scheme": `0000 ${area("0023", "00040440", "", ECC("0018000c"), point)}`,
  "ec that decrypts": `0000 ${area("0023", "00020440", "", ECC("0010"), point)}`,
  ec384: `0000 ${area("0023", "00040440", "", ECC("0010", "0004"), point384)}`,
  "ec off its curve": `0000 ${area("0023", "00040440", "", ECC("0010"), size("11".repeat(32)).repeat(2))}`,
  "ec with its key": `${size(`002300000000${size(toHex(ec.d))}`)} ${area("0023", "00040440", "", ECC("0010"), point)}`,
  "ec with another key": `${size(`002300000000${size("11".repeat(32))}`)} ${area("0023", "00040440", "", ECC("0010"), point)}`,
  "ec with too large a key": `${size(`002300000000${size("ff".repeat(32))}`)} ${area("0023", "00040440", "", ECC("0010"), point)}`,
  "restricted with its key": `${size(`002300000000${size(toHex(ec.d))}`)} ${area("0023", "00050440", "", ECC("0018000b"), point)}`,
  rsa: `0000 ${area("0001", "00040440", "", "00100010080000000000", size(toHex(rsa.n)))}`,
  "rsa with its key": `${size(`000100000000${size(toHex(rsa.p))}`)} ${area("0001", "00040440", "", "00100010080000000000", size(toHex(rsa.n)))}`,
  "rsa with a wrong key": `${size(`000100000000${size(toHex(rsa.p.map((b, i) => (i === 9 ? b ^ 1 : b))))}`)} ${area("0001", "00040440", "", "00100010080000000000", size(toHex(rsa.n)))}`,
  hmac: `${size(`00080000${size(toHex(seed))}${size(toHex(hmacKey))}`)} ${area("0008", "00040440", "", "0005000b", size(hmacUnique))}`,
  "hmac, open": `${size(`00080000${size(toHex(seed))}${size(toHex(hmacKey))}`)} ${area("0008", "00040440", "", "0010", size(hmacUnique))}`,
  "hmac with a wrong unique": `${size(`00080000${size(toHex(seed))}${size(toHex(hmacKey))}`)} ${area("0008", "00040440", "", "0005000b", size("11".repeat(32)))}`,
  "hmac without its key": `0000 ${area("0008", "00040440", "", "0005000b", size(hmacUnique))}`,
  "data from outside": `${size(`00080000${size(toHex(seed))}${size(toHex(hmacKey))}`)} ${area("0008", "00000440", "", "0010", size(hmacUnique))}`,
  "of another type": `${size(`00080000${size(toHex(seed))}${size(toHex(hmacKey))}`)} ${area("0023", "00040440", "", ECC("0010"), point)}`,
} as const;

const { r, s } = ecdsaSign(ec, digestBytes);
/** TPMT_SIGNATUREs over DIGEST by the keys above, and wrong ones. */
export const SIGNATURES = [
  `0018000b${size(toHex(r))}${size(toHex(s))}`,
  `0018000b${size(toHex(s))}${size(toHex(r))}`,
  `0018000c${size(toHex(r))}${size(toHex(s))}`,
  `0014000b${size(toHex(rsaPkcs1Sign(rsa, "sha256", digestBytes)))}`,
  `0014000b${size("11".repeat(256))}`,
  `0014000b${size("11".repeat(20))}`,
  `0016000b${size("11".repeat(256))}`,
  `0005000b${toHex(hmac("sha256", hmacKey, digestBytes))}`,
  `0005000b${"11".repeat(32)}`,
  `0005000c${"11".repeat(48)}`,
] as const;
