import assert from "node:assert/strict";
import { constants, createPrivateKey, createPublicKey, privateDecrypt, publicEncrypt, sign, verify } from "node:crypto";
import { utf8 } from "../../../shared/bytes/index.ts";
import * as c from "../../../shared/crypto/index.ts";
import { seededRandom } from "../../support/random.ts";

const random = seededRandom(1, "rsa-test");
const key = c.generateRsaKey(random, 2048);
const der = Buffer.from(c.privateKeyToPkcs8(key));
const nodeKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
const nodePublic = createPublicKey(nodeKey);
const message = utf8("what was measured");
const hashed = c.digest("sha256", message);

function everyByteFlipped(signature: Uint8Array, accepts: (bad: Uint8Array) => boolean): void {
  for (let i = 0; i < signature.byteLength; i++) {
    const bad = signature.slice();
    bad[i] = (bad[i] ?? 0) ^ (1 << (i % 8));
    assert.equal(accepts(bad), false, `byte ${i} changed`);
  }
}

describe("shared/crypto RSA keys", () => {
  it("have exactly the asked size and satisfy OpenSSL", () => {
    assert.equal(key.n.byteLength, 256);
    assert.ok((key.n[0] ?? 0) >= 0x80);
    assert.equal(nodeKey.asymmetricKeyDetails?.modulusLength, 2048);
    assert.equal(c.toBigInt(key.p) * c.toBigInt(key.q), c.toBigInt(key.n));
  });

  it("come from the seed and from nothing else", () => {
    const again = c.generateRsaKey(seededRandom(1, "rsa-test"), 2048);
    assert.deepEqual(again, key);
    assert.notDeepEqual(
      c.generateRsaKey(seededRandom(2, "rsa-test"), 1024).n,
      c.generateRsaKey(seededRandom(3, "rsa-test"), 1024).n,
    );
  });

  it("survive PKCS #8, and garbage is not a key", () => {
    assert.deepEqual(c.privateKeyFromPkcs8(der), key);
    assert.equal(c.privateKeyFromPkcs8(der.subarray(0, 100)), undefined);
    assert.equal(c.privateKeyFromPkcs8(new Uint8Array()), undefined);
  });

  it("are refused in sizes that nobody should use", () => {
    assert.throws(() => c.generateRsaKey(random, 512), RangeError);
    assert.throws(() => c.generateRsaKey(random, 2049), RangeError);
  });
});

describe("shared/crypto RSASSA-PKCS1-v1_5", () => {
  for (const hash of ["sha1", "sha256", "sha384", "sha512"] as const) {
    it(`makes the same signature as OpenSSL with ${hash}`, () => {
      const ours = c.rsaPkcs1Sign(key, hash, c.digest(hash, message));
      assert.deepEqual(ours, new Uint8Array(sign(hash, message, nodeKey)));
      assert.equal(c.rsaPkcs1Verify(key, hash, c.digest(hash, message), ours), true);
    });
  }

  it("refuses every changed byte, another digest, another hash, another length", () => {
    const signature = c.rsaPkcs1Sign(key, "sha256", hashed);
    everyByteFlipped(signature, (bad) => c.rsaPkcs1Verify(key, "sha256", hashed, bad));
    assert.equal(c.rsaPkcs1Verify(key, "sha256", c.digest("sha256"), signature), false);
    assert.equal(c.rsaPkcs1Verify(key, "sha512", c.digest("sha512", message), signature), false);
    assert.equal(c.rsaPkcs1Verify(key, "sha256", hashed, signature.subarray(1)), false);
    assert.equal(c.rsaPkcs1Verify(key, "sha256", hashed, Uint8Array.of(0, ...signature)), false);
    assert.equal(c.rsaPkcs1Verify(key, "sha256", hashed, key.n), false);
  });

  it("throws on a digest that is none", () => {
    assert.throws(() => c.rsaPkcs1Sign(key, "sha256", Uint8Array.of(1)), RangeError);
  });
});

describe("shared/crypto RSASSA-PSS", () => {
  it("agrees with OpenSSL both ways", () => {
    const ours = c.rsaPssSign(key, "sha256", hashed, random.bytes(32));
    const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    assert.equal(verify("sha256", message, { key: nodePublic, ...options }, ours), true);
    const theirs = new Uint8Array(sign("sha256", message, { key: nodeKey, ...options }));
    assert.equal(c.rsaPssVerify(key, "sha256", hashed, theirs, 32), true);
    assert.equal(c.rsaPssVerify(key, "sha256", hashed, theirs), true);
    assert.equal(c.rsaPssVerify(key, "sha256", hashed, theirs, 20), false);
  });

  it("refuses every changed byte", () => {
    const signature = c.rsaPssSign(key, "sha384", c.digest("sha384", message), random.bytes(48));
    everyByteFlipped(signature, (bad) => c.rsaPssVerify(key, "sha384", c.digest("sha384", message), bad));
  });
});

describe("shared/crypto RSAES-OAEP", () => {
  const label = Uint8Array.of(...utf8("IDENTITY"), 0);
  const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256", oaepLabel: label };

  it("agrees with OpenSSL both ways, with a label", () => {
    const ours = c.rsaOaepEncrypt(key, "sha256", label, message, random) ?? assert.fail();
    assert.deepEqual(new Uint8Array(privateDecrypt({ key: nodeKey, ...oaep }, ours)), message);
    const theirs = new Uint8Array(publicEncrypt({ key: nodePublic, ...oaep }, message));
    assert.deepEqual(c.rsaOaepDecrypt(key, "sha256", label, theirs), message);
  });

  it("gives one answer for everything that is wrong", () => {
    const ciphertext = c.rsaOaepEncrypt(key, "sha256", label, message, random) ?? assert.fail();
    everyByteFlipped(ciphertext, (bad) => c.rsaOaepDecrypt(key, "sha256", label, bad) !== undefined);
    assert.equal(c.rsaOaepDecrypt(key, "sha256", utf8("other"), ciphertext), undefined);
    assert.equal(c.rsaOaepDecrypt(key, "sha1", label, ciphertext), undefined);
    assert.equal(c.rsaOaepDecrypt(key, "sha256", label, ciphertext.subarray(1)), undefined);
  });

  it("takes an empty message, the longest one, and none longer", () => {
    const longest = 256 - 2 * 32 - 2;
    for (const size of [0, longest]) {
      const text = new Uint8Array(size).fill(7);
      const ciphertext = c.rsaOaepEncrypt(key, "sha256", label, text, random) ?? assert.fail();
      assert.deepEqual(c.rsaOaepDecrypt(key, "sha256", label, ciphertext), text);
    }
    assert.equal(c.rsaOaepEncrypt(key, "sha256", label, new Uint8Array(longest + 1), random), undefined);
  });
});
