import assert from "node:assert/strict";
import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { toHex, utf8 } from "../../../shared/bytes/index.ts";
import * as c from "../../../shared/crypto/index.ts";
import { seededRandom } from "../../support/random.ts";

const random = seededRandom(21, "rsa-keys");
const key = c.generateRsaKey(random, 1024);
const pkcs8 = (object: KeyObject) => new Uint8Array(object.export({ type: "pkcs8", format: "der" }));
const b64 = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? "", "base64url"));

describe("shared/crypto RSA key generation", () => {
  it("satisfies FIPS 186-4 B.3.1 and B.3.3", () => {
    for (const bits of [1024, 1040, 2048]) {
      const { n, e, d, p, q, dp, dq, qi } = c.generateRsaKey(random, bits);
      const [N, D, P, Q] = [c.toBigInt(n), c.toBigInt(d), c.toBigInt(p), c.toBigInt(q)];
      assert.equal(N.toString(2).length, bits);
      assert.equal(P * Q, N);
      for (const prime of [P, Q]) assert.equal(prime >> BigInt(bits / 2 - 2), 3n, "two top bits");
      assert.ok((P > Q ? P - Q : Q - P) >> BigInt(bits / 2 - 100) !== 0n);
      assert.ok(D >> BigInt(bits / 2) !== 0n);
      assert.equal((D * BigInt(e)) % (P - 1n), 1n);
      assert.equal((D * BigInt(e)) % (Q - 1n), 1n);
      assert.equal(c.toBigInt(dp), D % (P - 1n));
      assert.equal(c.toBigInt(dq), D % (Q - 1n));
      assert.equal((c.toBigInt(qi) * Q) % P, 1n);
      assert.equal(e, 65_537);
      assert.equal(c.rsaKeyFlaw({ type: "rsa", n, e }), undefined);
    }
  });

  it("gives these very bytes for this seed: simulations of another version must stay comparable", () => {
    const { n } = c.generateRsaKey(seededRandom(1, "golden"), 1024);
    assert.equal(toHex(c.digest("sha256", n)), "2756d885c31928aa80d6e3bfa1acb0af000321c80a517349cbb5442ff92ace00");
    const ec = c.generateEcKey(seededRandom(1, "golden"), "P-256");
    assert.equal(toHex(c.digest("sha256", ec.x)), "a245b21ed793e6bd64457f1ddffbdb13b42245e2efcbc61f6310cb6548d06ac8");
  });

  it("takes another exponent", () => {
    const three = c.generateRsaKey(random, 1024, 3);
    assert.equal(three.e, 3);
    const digest = c.digest("sha256");
    assert.equal(c.rsaPkcs1Verify(three, "sha256", digest, c.rsaPkcs1Sign(three, "sha256", digest)), true);
  });

  it("refuses sizes out of bounds", () => {
    for (const bits of [0, 512, 1023, 1032, 8208]) assert.throws(() => c.generateRsaKey(random, bits), RangeError);
  });
});

describe("shared/crypto RSA public keys", () => {
  const flaws: readonly (readonly [c.RsaKeyFlaw, c.RsaPublicKey])[] = [
    ["leading-zero", { ...key, n: Uint8Array.of(0, ...key.n) }],
    ["modulus-size", { ...key, n: key.n.subarray(1) }],
    ["modulus-size", { ...key, n: new Uint8Array() }],
    ["modulus-size", { ...key, n: new Uint8Array(1025).fill(0xff) }],
    ["even-modulus", { ...key, n: Uint8Array.from([...key.n.subarray(0, -1), 2]) }],
    ["exponent", { ...key, e: 0 }],
    ["exponent", { ...key, e: 1 }],
    ["exponent", { ...key, e: 4 }],
    ["exponent", { ...key, e: -3 }],
    ["exponent", { ...key, e: 3.5 }],
    ["exponent", { ...key, e: 2 ** 32 + 1 }],
  ];
  for (const [flaw, bad] of flaws) {
    it(`${flaw}: ${bad.n.byteLength} bytes, e = ${bad.e}`, () => {
      assert.equal(c.rsaKeyFlaw(bad), flaw);
      const digest = c.digest("sha256");
      assert.equal(c.rsaPublic(bad, new Uint8Array(bad.n.byteLength)), undefined);
      assert.equal(c.rsaPkcs1Verify(bad, "sha256", digest, new Uint8Array(bad.n.byteLength)), false);
      assert.equal(c.rsaPssVerify(bad, "sha256", digest, new Uint8Array(bad.n.byteLength)), false);
      assert.equal(c.rsaOaepEncrypt(bad, "sha1", digest, new Uint8Array(), random), undefined);
    });
  }

  it("counts the bits of a modulus", () => {
    assert.equal(c.rsaModulusBits(key), 1024);
    assert.equal(c.rsaModulusBits({ ...key, n: Uint8Array.of(1, 0) }), 9);
    assert.equal(c.rsaModulusBits({ ...key, n: Uint8Array.of(0, 0x7f) }), 7);
    assert.equal(c.rsaModulusBits({ ...key, n: new Uint8Array(3) }), 0);
  });
});

describe("shared/crypto RSASSA-PSS under moduli of any length", () => {
  for (const bits of [1024, 1025, 1026, 1030, 1031, 1033]) {
    it(`${bits} bits: verifies OpenSSL's signatures`, () => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
      const jwk = createPublicKey(privateKey).export({ format: "jwk" });
      const peer: c.RsaPublicKey = { type: "rsa", n: b64(jwk.n), e: 65_537 };
      for (let i = 0; i < 12; i++) {
        const message = random.bytes(10);
        const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
        const signature = new Uint8Array(sign("sha256", message, { key: privateKey, ...options }));
        assert.equal(c.rsaPssVerify(peer, "sha256", c.digest("sha256", message), signature, 32), true);
        const bad = signature.slice();
        bad[20] = (bad[20] ?? 0) ^ 1;
        assert.equal(c.rsaPssVerify(peer, "sha256", c.digest("sha256", message), bad, 32), false);
      }
    });
  }

  it("takes no salt and the longest salt", () => {
    const digest = c.digest("sha256", utf8("m"));
    const longest = 128 - 32 - 2;
    for (const size of [0, longest]) {
      const signature = c.rsaPssSign(key, "sha256", digest, random.bytes(size));
      assert.equal(c.rsaPssVerify(key, "sha256", digest, signature, size), true);
      const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: size };
      const object = createPublicKey({
        key: { kty: "RSA", n: Buffer.from(key.n).toString("base64url"), e: "AQAB" },
        format: "jwk",
      });
      assert.equal(verify("sha256", utf8("m"), { key: object, ...options }, signature), true);
    }
    assert.throws(() => c.rsaPssSign(key, "sha256", digest, random.bytes(longest + 1)), RangeError);
    assert.throws(() => c.rsaPssSign(key, "sha256", digest.subarray(1), new Uint8Array()), RangeError);
  });
});

describe("shared/crypto RSASSA-PKCS1-v1_5 forgeries", () => {
  /** What a verifier that parses the padding instead of comparing it could be led to accept. */
  it("refuses well-signed encodings that are not the encoding", () => {
    const digest = c.digest("sha256", utf8("m"));
    const good = c.rsaPublic(key, c.rsaPkcs1Sign(key, "sha256", digest)) ?? assert.fail();
    const info = good.subarray(good.byteLength - 51);
    const variant = (change: (block: Uint8Array) => void) => {
      const block = good.slice();
      change(block);
      return c.rsaPrivate(key, block) ?? assert.fail();
    };
    const forgeries: Readonly<Record<string, Uint8Array>> = {
      "garbage behind a short padding (Bleichenbacher 2006)": variant((block) => {
        block.fill(0xaa, 11);
        block[10] = 0;
        block.set(info, 11);
      }),
      "block type 2": variant((block) => block.fill(2, 1, 2)),
      "block type 0": variant((block) => block.fill(0, 1, 2)),
      "a padding byte that is not FF": variant((block) => block.fill(0xfe, 30, 31)),
      "no zero before DigestInfo": variant((block) => block.fill(0xff, block.byteLength - 52, block.byteLength - 51)),
      "DigestInfo without NULL": variant((block) => {
        const bare = Buffer.from("302f300b0609608648016503040201", "hex");
        const start = block.byteLength - bare.byteLength - 34;
        block.fill(0xff, 2, start - 1);
        block[start - 1] = 0;
        block.set(bare, start);
      }),
      "BER length in DigestInfo": variant((block) => {
        const start = block.byteLength - 51;
        block.set([0x00, 0x30, 0x81, 0x31], start - 2);
      }),
    };
    assert.equal(c.rsaPkcs1Verify(key, "sha256", digest, c.rsaPrivate(key, good) ?? assert.fail()), true);
    for (const [what, signature] of Object.entries(forgeries)) {
      assert.equal(c.rsaPkcs1Verify(key, "sha256", digest, signature), false, what);
    }
  });
});

describe("shared/crypto PKCS #8", () => {
  it("takes OpenSSL's keys", () => {
    for (const object of [
      generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey, // smaller ones have d by another formula
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
      generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
      generateKeyPairSync("ed25519").privateKey,
    ]) {
      const read = c.privateKeyFromPkcs8(pkcs8(object)) ?? assert.fail(object.asymmetricKeyType);
      assert.deepEqual(c.privateKeyToPkcs8(read), pkcs8(object));
    }
  });

  it("takes an RSA key that is listed as RSASSA-PSS, which is a plain one from then on", () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa-pss", { modulusLength: 2048 });
    const der = pkcs8(privateKey);
    const read = c.privateKeyFromPkcs8(der);
    assert.ok(read?.type === "rsa");
    const message = Uint8Array.of(1, 2, 3);
    const signature = c.signMessage(read, "rsa-pss-sha256", message, seededRandom(1));
    assert.ok(verify("sha256", message, { key: publicKey, saltLength: 32 }, signature));
    assert.deepEqual(c.privateKeyFromPkcs8(c.privateKeyToPkcs8(read)), read);
    for (let i = 0; i < der.byteLength; i += 7) {
      assert.equal(c.privateKeyFromPkcs8(der.subarray(0, i)), undefined);
      const bad = der.map((octet, at) => (at === i ? octet ^ 0x10 : octet));
      c.privateKeyFromPkcs8(bad); // never throws
    }
  });

  it("refuses kinds that are not used, numbers that contradict each other, damaged and cut files", () => {
    for (const object of [
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey,
      generateKeyPairSync("ec", { namedCurve: "brainpoolP256r1" }).privateKey,
      generateKeyPairSync("ed448").privateKey,
      generateKeyPairSync("x25519").privateKey,
      generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 }).privateKey,
    ]) {
      assert.equal(c.privateKeyFromPkcs8(pkcs8(object)), undefined, object.asymmetricKeyType);
    }
    const der = c.privateKeyToPkcs8(key);
    for (let size = 0; size < der.byteLength; size += 5) {
      assert.equal(c.privateKeyFromPkcs8(der.subarray(0, size)), undefined);
    }
    assert.equal(c.privateKeyFromPkcs8(Uint8Array.from([...der, 0])), undefined, "a trailing byte");
    let refused = 0;
    for (let i = 0; i < der.byteLength; i++) {
      const bad = der.slice();
      bad[i] = (bad[i] ?? 0) ^ 0x10;
      const read = c.privateKeyFromPkcs8(bad); // never throws
      if (read === undefined) refused++;
      else assert.deepEqual(c.privateKeyFromPkcs8(c.privateKeyToPkcs8(read)), read);
    }
    assert.ok(refused > 250, `${refused} refused`); // n, e, p, q and the frame; d, dp, dq and qi are computed anew
  });
});
