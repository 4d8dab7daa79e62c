import assert from "node:assert/strict";
import { concat, decode, encode, toHex, utf8 } from "../../../shared/bytes/index.ts";
import {
  aesCfbDecrypt,
  ecdh,
  generateEcKey,
  generateRsaKey,
  hmac,
  kdfa,
  kdfe,
  rsaOaepDecrypt,
} from "../../../shared/crypto/index.ts";
import type { EcPrivateKey } from "../../../shared/crypto/keys.ts";
import {
  aikReference,
  type Credential,
  ekEcc,
  ekRsa,
  makeCredential,
  nameOf,
  nameOfHandle,
  publicKeyOf,
  qualifiedNameOf,
  Tpm2bDigest,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  TpmAlg,
  TpmRh,
  TpmsEccPoint,
  TpmsIdObject,
  type TpmtPublic,
} from "../../../shared/tpm/index.ts";
import { seededRandom } from "../../support/random.ts";

const random = seededRandom(1, "credential");
const rsa = generateRsaKey(random, 2048);
const ec = generateEcKey(random, "P-256");
const rsaEk: TpmtPublic = { ...ekRsa, unique: rsa.n };
const eccEk: TpmtPublic = { ...ekEcc, unique: { x: ec.x, y: ec.y } };
const name = concat(Uint8Array.of(0, 0x0b), random.bytes(32));
const secret = random.bytes(32);
const none = new Uint8Array(0);

/** The TPM's half, Part 1, 24.6, from the seed on. */
function open(seed: Uint8Array, credential: Credential): Uint8Array {
  const { integrityHMAC, encIdentity } = decode(TpmsIdObject, decode(Tpm2bIdObject, credential.idObject));
  const hmacKey = kdfa("sha256", seed, "INTEGRITY", none, none, 256);
  assert.equal(toHex(hmac("sha256", hmacKey, concat(encIdentity, name))), toHex(integrityHMAC));
  const key = kdfa("sha256", seed, "STORAGE", name, none, 128);
  return decode(Tpm2bDigest, aesCfbDecrypt(key, new Uint8Array(16), encIdentity));
}

function eccSeed(key: EcPrivateKey, credential: Credential): Uint8Array {
  const point = decode(TpmsEccPoint, decode(Tpm2bEncryptedSecret, credential.encSecret));
  const z = ecdh(key, { type: "ec", curve: "P-256", ...point }) ?? assert.fail("not on the curve");
  return kdfe("sha256", z, "IDENTITY", point.x, key.x, 256);
}

describe("MakeCredential", () => {
  it("RSA: the EK's owner gets the secret back; sizes are those of the reference's challenge", () => {
    const made = makeCredential(rsaEk, name, secret, random) ?? assert.fail();
    assert.equal(made.idObject.byteLength, 70);
    assert.equal(made.encSecret.byteLength, 258);
    const seed = rsaOaepDecrypt(rsa, "sha256", utf8("IDENTITY\0"), decode(Tpm2bEncryptedSecret, made.encSecret));
    assert.equal(seed?.byteLength, 16);
    assert.deepEqual(open(seed ?? none, made), secret);
  });

  it("ECC: the EK's owner gets the secret back", () => {
    const made = makeCredential(eccEk, name, secret, random) ?? assert.fail();
    assert.deepEqual(open(eccSeed(ec, made), made), secret);
  });

  it("draws everything from the randomness it is given", () => {
    for (const ek of [rsaEk, eccEk]) {
      const one = makeCredential(ek, name, secret, seededRandom(7));
      assert.deepEqual(makeCredential(ek, name, secret, seededRandom(7)), one);
      assert.notDeepEqual(makeCredential(ek, name, secret, seededRandom(8)), one);
    }
  });

  it("has none for a key that cannot open it", () => {
    const offCurve = { ...ekEcc, unique: { x: ec.x, y: ec.x } };
    const noCipher = aikReference;
    const otherHash = { ...rsaEk, nameAlg: TpmAlg.SM3_256 };
    const aes256 = { algorithm: TpmAlg.AES, keyBits: 256, mode: TpmAlg.CFB } as const;
    const longKey = { ...ekRsa, unique: rsa.n, parameters: { ...ekRsa.parameters, symmetric: aes256 } };
    const shortModulus = { ...ekRsa, unique: rsa.n.slice(1) };
    const otherCurve = { ...ekEcc, unique: { x: ec.x, y: ec.y }, parameters: { ...ekEcc.parameters, curveID: 5 } };
    for (const ek of [offCurve, noCipher, otherHash, longKey, shortModulus, otherCurve]) {
      assert.equal(makeCredential(ek, name, secret, random), undefined);
    }
    assert.throws(() => makeCredential(rsaEk, name, random.bytes(33), random), RangeError);
  });
});

describe("public areas as keys", () => {
  it("exponent 0 is 65537, short coordinates are padded, other types are none", () => {
    assert.deepEqual(publicKeyOf(rsaEk), { type: "rsa", n: rsa.n, e: 65537 });
    const short = { ...ekEcc, unique: { x: ec.x.slice(1), y: ec.y } };
    const key = publicKeyOf(short);
    assert.ok(key?.type === "ec");
    assert.deepEqual(key.x, concat(Uint8Array.of(0), ec.x.slice(1)));
    assert.equal(
      publicKeyOf({ ...ekEcc, unique: { x: concat(none, ec.x, none, Uint8Array.of(1)), y: ec.y } }),
      undefined,
    );
  });
});

describe("Names", () => {
  it("of keys without a name algorithm are empty; with an unknown one they cannot be told", () => {
    assert.deepEqual(nameOf({ ...rsaEk, nameAlg: TpmAlg.NULL }), none);
    assert.throws(() => nameOf({ ...rsaEk, nameAlg: 0x7777 }), RangeError);
    const qualified = qualifiedNameOf(nameOfHandle(TpmRh.ENDORSEMENT), TpmAlg.SHA256, nameOf(rsaEk));
    assert.equal(qualified.byteLength, 34);
    assert.equal(encode(Tpm2bDigest, qualified).byteLength, 36);
  });
});
