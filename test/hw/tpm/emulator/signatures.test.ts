import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concat, decode, framed, sized, struct, u8 } from "../../../../shared/bytes/index.ts";
import {
  TpmaObjectBit as Bit,
  commands,
  hashAlgOf,
  TpmAlg,
  TpmEccCurve,
  TpmRc,
  TpmRh,
  type TpmtPublic,
  type TpmtSignature,
  type TpmtSigScheme,
} from "../../../../shared/tpm/index.ts";
import { needs } from "../../../support/programs.ts";
import { Bench, PASSWORD } from "./support.ts";

/** What the emulator signs is verified by Node and the openssl program, and what they sign by the emulator. */

const NONE = new Uint8Array(0);
const MESSAGE = new TextEncoder().encode("a message");
const TICKET = { tag: 0x8024, hierarchy: TpmRh.NULL, digest: NONE } as const;
const HASHES = ["sha1", "sha256", "sha384", "sha512"] as const;
type Hash = (typeof HASHES)[number];

const common = {
  nameAlg: TpmAlg.SHA256,
  objectAttributes:
    Bit.FIXED_TPM | Bit.FIXED_PARENT | Bit.SENSITIVE_DATA_ORIGIN | Bit.USER_WITH_AUTH | Bit.NO_DA | Bit.SIGN,
  authPolicy: NONE,
} as const;
const NULL = { scheme: TpmAlg.NULL } as const;
const symmetric = { algorithm: TpmAlg.NULL } as const;
const rsa: TpmtPublic = {
  type: TpmAlg.RSA,
  ...common,
  parameters: { symmetric, scheme: NULL, keyBits: 2048, exponent: 0 },
  unique: NONE,
};
const ecc = (curveID: number): TpmtPublic => ({
  type: TpmAlg.ECC,
  ...common,
  parameters: { symmetric, scheme: NULL, curveID, kdf: NULL },
  unique: { x: NONE, y: NONE },
});

interface Kind {
  readonly name: string;
  readonly template: TpmtPublic;
  readonly scheme: typeof TpmAlg.RSASSA | typeof TpmAlg.RSAPSS | typeof TpmAlg.ECDSA;
}

const KINDS: readonly Kind[] = [
  { name: "RSA-2048, RSASSA", template: rsa, scheme: TpmAlg.RSASSA },
  { name: "RSA-2048, RSAPSS", template: rsa, scheme: TpmAlg.RSAPSS },
  { name: "P-256, ECDSA", template: ecc(TpmEccCurve.NIST_P256), scheme: TpmAlg.ECDSA },
  { name: "P-384, ECDSA", template: ecc(TpmEccCurve.NIST_P384), scheme: TpmAlg.ECDSA },
];

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");

function nodeKey(area: TpmtPublic): KeyObject {
  if (area.type === TpmAlg.RSA)
    return createPublicKey({ key: { kty: "RSA", n: base64(area.unique), e: "AQAB" }, format: "jwk" });
  assert.ok(area.type === TpmAlg.ECC);
  const crv = area.parameters.curveID === TpmEccCurve.NIST_P384 ? "P-384" : "P-256";
  return createPublicKey({
    key: { kty: "EC", crv, x: base64(area.unique.x), y: base64(area.unique.y) },
    format: "jwk",
  });
}

const options = (key: KeyObject, scheme: number) => ({
  key,
  dsaEncoding: "ieee-p1363" as const,
  ...(scheme === TpmAlg.RSAPSS && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }),
});

/** As openssl and Node have it: r and s one behind the other, or the RSA block. */
function plain(signature: TpmtSignature): Uint8Array {
  if ("sig" in signature) return signature.sig;
  assert.ok("signatureR" in signature);
  return concat(signature.signatureR, signature.signatureS);
}

function toTpm(kind: Kind, hash: Hash, bytes: Uint8Array): TpmtSignature {
  const hashAlg = hashAlgOf(hash);
  if (kind.scheme !== TpmAlg.ECDSA) return { sigAlg: kind.scheme, hash: hashAlg, sig: bytes };
  const half = bytes.byteLength / 2;
  return { sigAlg: kind.scheme, hash: hashAlg, signatureR: bytes.slice(0, half), signatureS: bytes.slice(half) };
}

function made(kind: Kind) {
  const bench = new Bench(kind.name).start();
  const { handle, response } = bench.must(commands.CreatePrimary, [TpmRh.OWNER], {
    inSensitive: { userAuth: NONE, data: NONE },
    inPublic: kind.template,
    outsideInfo: NONE,
    creationPCR: [],
  });
  return { bench, handle, area: response.outPublic };
}

const digestOf = (hash: Hash) => new Uint8Array(createHash(hash).update(MESSAGE).digest());

function signed(bench: Bench, handle: number, kind: Kind, hash: Hash): TpmtSignature {
  const inScheme: TpmtSigScheme = { scheme: kind.scheme, hashAlg: hashAlgOf(hash) };
  return bench.must(commands.Sign, [handle], { digest: digestOf(hash), inScheme, validation: TICKET }).response
    .signature;
}

const INTEGER = struct("INTEGER", { tag: u8, digits: sized(u8, 49) });

interface Signer {
  readonly who: string;
  readonly needed: readonly string[];
  signs(key: KeyObject, kind: Kind, hash: Hash): Uint8Array;
}

const SIGNERS: readonly Signer[] = [
  {
    who: "Node",
    needed: [],
    signs: (key, { scheme }, hash) => new Uint8Array(sign(hash, MESSAGE, options(key, scheme))),
  },
  { who: "openssl", needed: ["openssl"], signs: signedByOpenssl },
];

function signedByOpenssl(key: KeyObject, { scheme, template }: Kind, hash: Hash): Uint8Array {
  return inFolder((folder) => {
    const [keyFile, message] = [join(folder, "key.pem"), join(folder, "message")];
    writeFileSync(keyFile, key.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(message, MESSAGE);
    const salt = `rsa_pss_saltlen:${digestOf(hash).byteLength}`;
    const pss = scheme === TpmAlg.RSAPSS ? ["-sigopt", "rsa_padding_mode:pss", "-sigopt", salt] : [];
    const made = execFileSync("openssl", ["dgst", `-${hash}`, "-sign", keyFile, ...pss, message]);
    if (template.type !== TpmAlg.ECC) return new Uint8Array(made);
    return plainOf(made, template.parameters.curveID === TpmEccCurve.NIST_P384 ? 48 : 32);
  });
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "fobnail-signatures-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function keyPair({ name, template }: Kind) {
  if (template.type === TpmAlg.RSA) return generateKeyPairSync("rsa", { modulusLength: 2048 });
  return generateKeyPairSync("ec", { namedCurve: name.startsWith("P-384") ? "P-384" : "P-256" });
}

/** A public key from outside as the TPM wants it. */
function publicArea({ template }: Kind, key: KeyObject): TpmtPublic {
  const jwk = key.export({ format: "jwk" });
  const bytes = (text: unknown) => new Uint8Array(Buffer.from(String(text), "base64url"));
  const objectAttributes = Bit.SIGN | Bit.USER_WITH_AUTH;
  if (template.type === TpmAlg.RSA) return { ...template, objectAttributes, unique: bytes(jwk.n) };
  assert.ok(template.type === TpmAlg.ECC);
  return { ...template, objectAttributes, unique: { x: bytes(jwk.x), y: bytes(jwk.y) } };
}

describe("the emulator's signatures", () => {
  for (const kind of KINDS) {
    it(`${kind.name}: Node verifies them`, () => {
      const { bench, handle, area } = made(kind);
      for (const hash of HASHES) {
        const signature = plain(signed(bench, handle, kind, hash));
        assert.ok(verify(hash, MESSAGE, options(nodeKey(area), kind.scheme), signature), hash);
        assert.ok(!verify(hash, NONE, options(nodeKey(area), kind.scheme), signature), `${hash}, another message`);
      }
    });

    it(`${kind.name}: openssl verifies them`, function () {
      needs(this, "openssl");
      const { bench, handle, area } = made(kind);
      const said = inFolder((folder) => {
        const key = join(folder, "key.pem");
        writeFileSync(key, nodeKey(area).export({ type: "spki", format: "pem" }));
        writeFileSync(join(folder, "message"), MESSAGE);
        const signature = plain(signed(bench, handle, kind, "sha256"));
        writeFileSync(join(folder, "signature"), kind.scheme === TpmAlg.ECDSA ? derOf(signature) : signature);
        const pss =
          kind.scheme === TpmAlg.RSAPSS ? ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] : [];
        const files = ["-signature", join(folder, "signature"), join(folder, "message")];
        return execFileSync("openssl", ["dgst", "-sha256", "-verify", key, ...pss, ...files], { encoding: "utf8" });
      });
      assert.match(said, /Verified OK/);
    });

    for (const { who, signs, needed } of SIGNERS) {
      it(`${kind.name}: it verifies ${who}'s, with a key from outside`, function () {
        needs(this, ...needed);
        const { publicKey, privateKey } = keyPair(kind);
        const bench = new Bench().start();
        const inPublic = publicArea(kind, publicKey);
        const external = { inPrivate: undefined, inPublic, hierarchy: TpmRh.OWNER };
        const { handle } = bench.must(commands.LoadExternal, [], external);
        for (const hash of HASHES) {
          const signature = toTpm(kind, hash, signs(privateKey, kind, hash));
          const good = bench.must(commands.VerifySignature, [handle], { digest: digestOf(hash), signature });
          assert.equal(good.response.validation.hierarchy, TpmRh.OWNER);
          const other = new Uint8Array(digestOf(hash).byteLength);
          const bad = bench.run(commands.VerifySignature, [handle], { digest: other, signature });
          assert.equal(bad.rc, TpmRc.SIGNATURE + 0x240);
        }
      });
    }
  }
});

/** SEQUENCE of two INTEGERs, for openssl. */
function derOf(signature: Uint8Array): Uint8Array {
  const half = signature.byteLength / 2;
  const integer = (bytes: Uint8Array) => {
    const from = bytes.findIndex((byte) => byte !== 0);
    const shortest = bytes.subarray(Math.max(0, from));
    const content = (shortest[0] ?? 0) >= 0x80 ? concat(new Uint8Array(1), shortest) : shortest;
    return concat(Uint8Array.of(2, content.byteLength), content);
  };
  const body = concat(integer(signature.subarray(0, half)), integer(signature.subarray(half)));
  return concat(Uint8Array.of(0x30, body.byteLength), body);
}

/** The other way: each number at the curve's length. */
function plainOf(der: Uint8Array, size: number): Uint8Array {
  const numbers = decode(
    struct("ECDSA-Sig-Value", { tag: u8, body: framed(u8, struct("r and s", { r: INTEGER, s: INTEGER }), 127) }),
    der,
  ).body;
  const padded = (bytes: Uint8Array) => {
    const digits = bytes.subarray(Math.max(0, bytes.byteLength - size));
    return concat(new Uint8Array(size - digits.byteLength), digits);
  };
  return concat(padded(numbers.r.digits), padded(numbers.s.digits));
}

describe("the emulator's HMACs", () => {
  it("are those of Node, in one command and in a sequence", () => {
    const bench = new Bench().start();
    const key = new Uint8Array(32).fill(7);
    const seedValue = new Uint8Array(32).fill(9);
    const unique = new Uint8Array(createHash("sha256").update(seedValue).update(key).digest());
    const { handle } = bench.must(commands.LoadExternal, [], {
      inPrivate: { sensitiveType: TpmAlg.KEYEDHASH, authValue: NONE, seedValue, sensitive: key },
      inPublic: {
        type: TpmAlg.KEYEDHASH,
        nameAlg: TpmAlg.SHA256,
        objectAttributes: Bit.SIGN | Bit.USER_WITH_AUTH | Bit.NO_DA,
        authPolicy: NONE,
        parameters: { scheme: { scheme: TpmAlg.HMAC, hashAlg: TpmAlg.SHA384 } },
        unique,
      },
      hierarchy: TpmRh.NULL,
    });
    const expected = new Uint8Array(createHmac("sha384", key).update(MESSAGE).digest());
    const parameters = { buffer: MESSAGE, hashAlg: TpmAlg.NULL };
    assert.deepEqual(bench.must(commands.HMAC, [handle], parameters).response.outHMAC, expected);
    const sequence = bench.must(commands.HMAC_Start, [handle], { auth: NONE, hashAlg: TpmAlg.NULL }).handle;
    bench.must(commands.SequenceUpdate, [sequence], { buffer: MESSAGE.subarray(0, 3) });
    const rest = { buffer: MESSAGE.subarray(3), hierarchy: TpmRh.NULL };
    assert.deepEqual(bench.must(commands.SequenceComplete, [sequence], rest, [PASSWORD]).response.result, expected);
  });
});
