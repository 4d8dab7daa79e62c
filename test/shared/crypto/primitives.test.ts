import assert from "node:assert/strict";
import { createECDH, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { ed25519 as nobleEd25519 } from "@noble/curves/ed25519.js";
import { concat, fromHex, utf8 } from "../../../shared/bytes/index.ts";
import { ecdsaVerify } from "../../../shared/crypto/ecdsa-digest.ts";
import * as c from "../../../shared/crypto/index.ts";
import { seededRandom } from "../../support/random.ts";

const hex = (text: string): Uint8Array => fromHex(text.replace(/\s/g, "")) ?? assert.fail(`not hex: ${text}`);
const random = seededRandom(3, "primitives");

describe("shared/crypto hashes", () => {
  it("are the same in pieces and at once", () => {
    for (const alg of ["sha1", "sha256", "sha384", "sha512"] as const) {
      const running = c.createDigest(alg);
      running.update(utf8("a"));
      running.update(utf8("bc"));
      const whole = c.digest(alg, utf8("abc"));
      assert.deepEqual(running.finish(), whole);
      assert.equal(whole.byteLength, c.digestSize(alg));
    }
  });
});

describe("shared/crypto key derivation", () => {
  it("KDFa is HMAC over counter, label with its zero, contexts and length", () => {
    const key = random.bytes(16);
    const [u, v] = [random.bytes(34), random.bytes(3)];
    const block = (i: number) =>
      c.hmac(
        "sha256",
        key,
        Uint8Array.of(0, 0, 0, i),
        utf8("STORAGE"),
        Uint8Array.of(0),
        u,
        v,
        Uint8Array.of(0, 0, 1, 0x80),
      );
    assert.deepEqual(c.kdfa("sha256", key, "STORAGE", u, v, 384), concat(block(1), block(2)).slice(0, 48));
  });

  it("KDFe is a hash over counter, Z, use with its zero and the parties", () => {
    const z = random.bytes(32);
    const [u, v] = [random.bytes(32), random.bytes(32)];
    const block = c.digest("sha256", Uint8Array.of(0, 0, 0, 1), z, utf8("IDENTITY"), Uint8Array.of(0), u, v);
    assert.deepEqual(c.kdfe("sha256", z, "IDENTITY", u, v, 128), block.slice(0, 16));
  });

  it("a partial first byte keeps its low bits", () => {
    const [first = 0xff] = c.kdfa("sha256", random.bytes(16), "X", new Uint8Array(), new Uint8Array(), 521);
    assert.ok(first < 2);
  });
});

describe("shared/crypto ECDSA", () => {
  for (const [curve, hash] of [
    ["P-256", "sha256"],
    ["P-384", "sha384"],
  ] as const) {
    it(`agrees with OpenSSL on ${curve}`, () => {
      const key = c.generateEcKey(random, curve);
      const nodeKey = createPrivateKey({ key: Buffer.from(c.privateKeyToPkcs8(key)), format: "der", type: "pkcs8" });
      const message = random.bytes(100);
      const hashed = c.digest(hash, message);
      for (let i = 0; i < 8; i++) {
        const theirs = new Uint8Array(sign(hash, message, { key: nodeKey, dsaEncoding: "ieee-p1363" }));
        const size = c.fieldSize(curve);
        const signature = { r: theirs.slice(0, size), s: theirs.slice(size) };
        assert.equal(ecdsaVerify(key, hashed, signature), true, "s above half the order is a signature too");
        assert.equal(c.ecdsaVerifyMessage(key, hash, message, signature), true);
        signature.s[5] = (signature.s[5] ?? 0) ^ 1;
        assert.equal(ecdsaVerify(key, hashed, signature), false);
        assert.equal(c.ecdsaVerifyMessage(key, hash, message, signature), false);
      }
      const ours = c.ecdsaSign(key, hashed);
      const publicKey = createPublicKey(nodeKey);
      assert.equal(verify(hash, message, { key: publicKey, dsaEncoding: "ieee-p1363" }, concat(ours.r, ours.s)), true);
      assert.deepEqual(c.privateKeyFromPkcs8(c.privateKeyToPkcs8(key)), key);
    });
  }

  it("refuses r and s outside 1..order-1 and of another length", () => {
    const key = c.generateEcKey(random, "P-256");
    const hashed = c.digest("sha256");
    const good = c.ecdsaSign(key, hashed);
    const order = c.toBytes(c.curveOrder("P-256"), 32);
    for (const bad of [
      { r: new Uint8Array(32), s: good.s },
      { r: good.r, s: new Uint8Array(32) },
      { r: order, s: good.s },
      { r: good.r, s: order },
      { r: good.r.subarray(1), s: good.s },
      { r: good.r, s: Uint8Array.of(0, ...good.s) },
    ]) {
      assert.equal(ecdsaVerify(key, hashed, bad), false);
      assert.equal(c.ecdsaVerifyMessage(key, "sha256", new Uint8Array(), bad), false);
    }
  });
});

describe("shared/crypto ECDH", () => {
  it("agrees with OpenSSL", () => {
    const ours = c.generateEcKey(random, "P-256");
    const theirs = createECDH("prime256v1");
    const point = new Uint8Array(theirs.generateKeys());
    const peer = { type: "ec", curve: "P-256", x: point.slice(1, 33), y: point.slice(33) } as const;
    const shared = new Uint8Array(theirs.computeSecret(concat(Uint8Array.of(4), ours.x, ours.y)));
    assert.deepEqual(c.ecdh(ours, peer), shared);
  });

  it("refuses points off the curve and of another curve", () => {
    const key = c.generateEcKey(random, "P-256");
    const off = { ...key, y: c.toBytes(c.toBigInt(key.y) ^ 1n, 32) };
    assert.equal(c.isOnCurve(key), true);
    assert.equal(c.isOnCurve(off), false);
    assert.equal(c.isOnCurve({ ...key, x: key.x.subarray(1) }), false);
    assert.equal(c.ecdh(key, off), undefined);
    assert.equal(c.ecdh(key, c.generateEcKey(random, "P-384")), undefined);
    assert.equal(c.ecKeyFromScalar("P-256", new Uint8Array(32)), undefined);
    assert.equal(c.ecKeyFromScalar("P-256", c.toBytes(c.curveOrder("P-256"), 32)), undefined);
  });
});

describe("shared/crypto Ed25519", () => {
  it("agrees with noble, and survives PKCS #8", () => {
    for (let i = 0; i < 5; i++) {
      const key = c.ed25519FromSeed(random.bytes(32));
      const message = random.bytes(i * 50);
      assert.deepEqual(key.key, nobleEd25519.getPublicKey(key.seed));
      assert.deepEqual(c.ed25519Sign(key, message), nobleEd25519.sign(message, key.seed));
      assert.deepEqual(c.privateKeyFromPkcs8(c.privateKeyToPkcs8(key)), key);
    }
  });

  it("refuses keys and R of small order and forms that are not reduced, as noble's strict mode does", () => {
    const message = utf8("any");
    const small = [
      "00".repeat(32),
      `01${"00".repeat(31)}`,
      `ec${"ff".repeat(30)}7f`,
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      `ed${"ff".repeat(30)}7f`,
      `ee${"ff".repeat(30)}ff`,
    ];
    for (const point of small) {
      for (const s of [new Uint8Array(32), random.bytes(32)]) {
        const key = { type: "ed25519", key: hex(point) } as const;
        assert.equal(c.ed25519Verify(key, message, concat(hex(point), s)), false, point);
      }
    }
  });

  it("refuses S that is not reduced", () => {
    const key = c.ed25519FromSeed(random.bytes(32));
    const signature = c.ed25519Sign(key, utf8("m"));
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = c.toBigInt(signature.slice(32).reverse()) + order;
    const twin = concat(signature.slice(0, 32), c.toBytes(s, 32).reverse());
    assert.equal(c.ed25519Verify(key, utf8("m"), signature), true);
    assert.equal(c.ed25519Verify(key, utf8("m"), twin), false);
  });
});

describe("shared/crypto schemes", () => {
  const rsa = c.generateRsaKey(random, 1024);
  const keys = {
    rsa,
    p256: c.generateEcKey(random, "P-256"),
    p384: c.generateEcKey(random, "P-384"),
    ed: c.ed25519FromSeed(random.bytes(32)),
  };
  const fits: readonly (readonly [c.SignatureScheme, c.PrivateKey])[] = [
    ["rsa-pkcs1-sha256", keys.rsa],
    ["rsa-pkcs1-sha512", keys.rsa],
    ["rsa-pss-sha256", keys.rsa],
    ["ecdsa-sha256", keys.p256],
    ["ecdsa-sha384", keys.p384],
    ["ed25519", keys.ed],
  ];
  const message = utf8("to be signed");

  for (const [scheme, key] of fits) {
    it(`${scheme} signs and verifies, and only that key and message`, () => {
      const signature = c.signMessage(key, scheme, message, random);
      assert.equal(c.verifyMessage(key, scheme, message, signature), true);
      assert.equal(c.verifyMessage(key, scheme, utf8("another"), signature), false);
      assert.equal(c.verifyMessage(key, scheme, message, signature.subarray(1)), false);
      for (const other of Object.values(keys)) {
        if (other !== key) assert.equal(c.verifyMessage(other, scheme, message, signature), false);
      }
    });
  }

  it("a key does not sign with another's scheme", () => {
    assert.throws(() => c.signMessage(keys.ed, "ecdsa-sha256", message, random), RangeError);
    assert.throws(() => c.signMessage(keys.p256, "rsa-pss-sha256", message, random), RangeError);
  });

  it("a scalar that is too long for its curve is not taken from PKCS #8, and does not end the process", () => {
    const head = "304f 020100 3013 06072a8648ce3d0201 06082a8648ce3d030107 0435 3033 020101 042e";
    assert.equal(c.privateKeyFromPkcs8(concat(hex(head), new Uint8Array(46).fill(7))), undefined);
  });

  it("keys of other kinds are not taken from PKCS #8", () => {
    const { privateKey } = generateKeyPairSync("x25519");
    assert.equal(c.privateKeyFromPkcs8(privateKey.export({ type: "pkcs8", format: "der" })), undefined);
  });
});
