import assert from "node:assert/strict";
import { sign as nodeSign, verify as nodeVerify } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384 } from "@noble/curves/nist.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { concat } from "../../../shared/bytes/index.ts";
import { ecdsaVerify } from "../../../shared/crypto/ecdsa-digest.ts";
import * as c from "../../../shared/crypto/index.ts";
import { privateKeyObject, publicKeyObject } from "../../../shared/crypto/key-object.ts";
import { seededRandom } from "../../support/random.ts";

const NOBLE_HASHES = { sha1, sha256, sha384, sha512 } as const;
const NOBLE_CURVES = { "P-256": p256, "P-384": p384 } as const;
const HASHES: readonly c.HashName[] = ["sha1", "sha256", "sha384", "sha512"];
const random = seededRandom(11, "agreement");
const bytes = fc.uint8Array({ maxLength: 300 });

/** A copy with one bit changed. */
function flipped(original: Uint8Array, bit: number): Uint8Array {
  const copy = original.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

describe("shared/crypto: node:crypto and noble say the same", () => {
  for (const alg of HASHES) {
    it(`${alg}, and HMAC with it`, () => {
      fc.assert(
        fc.property(bytes, bytes, (key, data) => {
          assert.deepEqual(c.digest(alg, data), NOBLE_HASHES[alg](data));
          assert.deepEqual(c.hmac(alg, key, data), hmac(NOBLE_HASHES[alg], key, data));
        }),
      );
    });
  }

  it("hashes of every length around a block and around what is hashed at once, whole and in parts", () => {
    const data = Uint8Array.from({ length: 4_200 }, (_, i) => (7 * i) & 0xff);
    const sizes = [0, 1, 63, 64, 65, 127, 128, 129, 2_047, 2_048, 2_049, 4_096];
    for (const alg of HASHES) {
      for (const size of sizes) {
        const message = data.subarray(0, size);
        const [head, tail] = [message.subarray(0, size >> 1), message.subarray(size >> 1)];
        const expected = NOBLE_HASHES[alg](message);
        assert.deepEqual([c.digest(alg, message), c.digest(alg, head, tail)], [expected, expected], `${alg} ${size}`);
        for (const keySize of sizes) {
          const key = data.subarray(100, 100 + keySize);
          const mac = hmac(NOBLE_HASHES[alg], key, message);
          assert.deepEqual(
            [c.hmac(alg, key, message), c.hmac(alg, key, head, tail)],
            [mac, mac],
            `${alg} ${keySize} ${size}`,
          );
        }
      }
    }
  });

  for (const curve of ["P-256", "P-384"] as const) {
    it(`public points and shared secrets of ${curve}`, () => {
      const noble = NOBLE_CURVES[curve];
      for (let i = 0; i < 10; i++) {
        const [own, peer] = [c.generateEcKey(random, curve), c.generateEcKey(random, curve)];
        const point = concat(Uint8Array.of(4), peer.x, peer.y);
        assert.deepEqual(noble.getPublicKey(peer.d, false), point);
        assert.deepEqual(c.ecdh(own, peer), noble.getSharedSecret(own.d, point).slice(1));
      }
    });

    it(`signatures on ${curve}, over digests of any length`, () => {
      const noble = NOBLE_CURVES[curve];
      for (const size of [0, 1, 20, 31, 32, 33, 47, 48, 49, 64]) {
        const key = c.generateEcKey(random, curve);
        for (const digest of [random.bytes(size), new Uint8Array(size), new Uint8Array(size).fill(0xff)]) {
          const { r, s } = c.ecdsaSign(key, digest);
          assert.deepEqual(concat(r, s), noble.sign(digest, key.d, { prehash: false, lowS: false }));
        }
      }
    });

    it(`verification on ${curve}, of right and of damaged signatures`, () => {
      const key = c.generateEcKey(random, curve);
      const size = c.fieldSize(curve);
      for (let i = 0; i < 30; i++) {
        const hash = HASHES[i % HASHES.length] ?? "sha256";
        const message = random.bytes(i);
        const { r, s } = c.ecdsaSign(key, c.digest(hash, message));
        const whole = i % 3 === 0 ? concat(r, s) : flipped(concat(r, s), (i * 131) % (16 * size));
        const signature = { r: whole.slice(0, size), s: whole.slice(size) };
        const answer = c.ecdsaVerifyMessage(key, hash, message, signature);
        assert.equal(answer, i % 3 === 0);
        assert.equal(ecdsaVerify(key, c.digest(hash, message), signature), answer);
      }
    });

    it(`both forms of a signature on ${curve}: s and order minus s`, () => {
      const key = c.generateEcKey(random, curve);
      const digest = c.digest("sha256");
      const { r, s } = c.ecdsaSign(key, digest);
      const other = { r, s: c.toBytes(c.curveOrder(curve) - c.toBigInt(s), c.fieldSize(curve)) };
      assert.equal(ecdsaVerify(key, digest, other), true);
      assert.equal(c.ecdsaVerifyMessage(key, "sha256", new Uint8Array(), other), true);
    });
  }

  it("Ed25519 verification, of right and of damaged signatures", () => {
    const key = c.ed25519FromSeed(random.bytes(32));
    for (let i = 0; i < 40; i++) {
      const message = random.bytes(i);
      const good = c.ed25519Sign(key, message);
      const signature = i % 3 === 0 ? good : flipped(good, (i * 37) % 512);
      const answer = c.ed25519Verify(key, message, signature);
      assert.equal(answer, i % 3 === 0);
      assert.equal(ed25519.verify(signature, message, key.key, { zip215: false }), answer);
    }
  });

  it("Ed25519: a signature that OpenSSL takes under a key of small order is refused", () => {
    // With the neutral element as key, R = s * B fits every message.
    const neutral = concat(Uint8Array.of(1), new Uint8Array(31));
    const s = concat(Uint8Array.of(5), new Uint8Array(31));
    const signature = concat(ed25519.Point.BASE.multiply(5n).toBytes(), s);
    const key: c.Ed25519PublicKey = { type: "ed25519", key: neutral };
    const object = publicKeyObject(key) ?? assert.fail();
    assert.equal(nodeVerify(null, Uint8Array.of(1), object, signature), true, "OpenSSL alone would not do");
    assert.equal(c.ed25519Verify(key, Uint8Array.of(1), signature), false);
  });

  it("Ed25519: every point whose order divides 8 is refused, in each of its encodings", () => {
    const eighth = ed25519.Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    let point = eighth;
    const seen = new Set<string>();
    for (let i = 0; i < 8; i++, point = point.add(eighth)) {
      for (const sign of [0, 0x80]) {
        const encoded = point.toBytes();
        encoded[31] = ((encoded[31] ?? 0) & 0x7f) | sign;
        seen.add(Buffer.from(encoded).toString("hex"));
        const signature = concat(encoded, new Uint8Array(32));
        assert.equal(c.ed25519Verify({ type: "ed25519", key: encoded }, new Uint8Array(), signature), false);
      }
    }
    assert.equal(seen.size, 10); // five y coordinates, two signs
  });
});

describe("shared/crypto: signatures in certificates", () => {
  const keys: readonly (readonly [c.SignatureScheme, c.PrivateKey])[] = [
    ["rsa-pkcs1-sha256", c.generateRsaKey(random, 1024)],
    ["rsa-pkcs1-sha384", c.generateRsaKey(random, 1024)],
    ["rsa-pkcs1-sha512", c.generateRsaKey(random, 1024)],
    ["rsa-pss-sha256", c.generateRsaKey(random, 1024)],
    ["rsa-pss-sha384", c.generateRsaKey(random, 1040)],
    ["rsa-pss-sha512", c.generateRsaKey(random, 1104)],
    ["ecdsa-sha256", c.generateEcKey(random, "P-256")],
    ["ecdsa-sha384", c.generateEcKey(random, "P-384")],
    ["ecdsa-sha384", c.generateEcKey(random, "P-256")],
    ["ecdsa-sha256", c.generateEcKey(random, "P-384")],
    ["ed25519", c.ed25519FromSeed(random.bytes(32))],
  ];
  for (const [scheme, key] of keys) {
    const name = key.type === "ec" ? `${scheme} on ${key.curve}` : scheme;
    it(`${name}: whatever is signed verifies; no single flipped bit of signature or message does`, () => {
      for (let round = 0; round < 3; round++) {
        const message = random.bytes(1 + 17 * round);
        const signature = c.signMessage(key, scheme, message, random);
        assert.equal(c.verifyMessage(key, scheme, message, signature), true);
        const bits = 8 * signature.byteLength;
        for (let bit = round; bit < bits; bit += key.type === "rsa" ? 7 : 13) {
          assert.equal(c.verifyMessage(key, scheme, message, flipped(signature, bit)), false, `bit ${bit}`);
        }
        for (let bit = 0; bit < 8 * message.byteLength; bit += 31) {
          assert.equal(c.verifyMessage(key, scheme, flipped(message, bit), signature), false);
        }
        for (let size = 0; size < signature.byteLength; size += 9) {
          assert.equal(c.verifyMessage(key, scheme, message, signature.subarray(0, size)), false);
        }
        assert.equal(c.verifyMessage(key, scheme, message, concat(signature, Uint8Array.of(0))), false);
      }
    });
  }

  it("ECDSA in DER agrees with OpenSSL, and other encodings of the same numbers are refused", () => {
    for (const curve of ["P-256", "P-384"] as const) {
      const key = c.generateEcKey(random, curve);
      for (let i = 0; i < 40; i++) {
        // Among forty there are some whose r or s begins with a set bit, and shorter ones.
        const message = random.bytes(20);
        const ours = c.signMessage(key, "ecdsa-sha256", message, random);
        const object = publicKeyObject(key) ?? assert.fail();
        assert.equal(nodeVerify("sha256", message, object, ours), true);
        const theirs = new Uint8Array(nodeSign("sha256", message, privateKeyObject(key)));
        assert.equal(c.verifyMessage(key, "ecdsa-sha256", message, theirs), true);
        // The same r with a superfluous zero in front.
        const r = ours.subarray(4, 4 + (ours[3] ?? 0));
        const rest = ours.subarray(4 + r.byteLength);
        const body = concat(Uint8Array.of(2, r.byteLength + 1, 0), r, rest);
        const padded = concat(Uint8Array.of(0x30, body.byteLength), body);
        assert.equal(c.verifyMessage(key, "ecdsa-sha256", message, padded), false);
        const longForm = concat(Uint8Array.of(0x30, 0x81), ours.subarray(1));
        assert.equal(c.verifyMessage(key, "ecdsa-sha256", message, longForm), false);
      }
    }
  });

  it("random bytes are no signature, and nothing throws", () => {
    for (const [scheme, key] of keys) {
      fc.assert(
        fc.property(bytes, (signature) => !c.verifyMessage(key, scheme, Uint8Array.of(1), signature)),
        { numRuns: 50 },
      );
    }
  });
});
