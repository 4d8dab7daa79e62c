import assert from "node:assert/strict";
import { concat, fromHex, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { ecdsaVerify } from "../../../shared/crypto/ecdsa-digest.ts";
import * as c from "../../../shared/crypto/index.ts";

const hex = (text: string): Uint8Array => fromHex(text) ?? assert.fail(`not hex: ${text}`);
const repeat = (byte: number, size: number): Uint8Array => new Uint8Array(size).fill(byte);

describe("shared/crypto against the examples of the standards", () => {
  const digests: readonly (readonly [c.HashName, string, string])[] = [
    ["sha1", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    ["sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "sha256",
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    [
      "sha384",
      "abc",
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ],
    [
      "sha512",
      "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ],
  ];
  for (const [alg, text, expected] of digests) {
    it(`FIPS 180-4: ${alg} of "${text}"`, () => assert.equal(toHex(c.digest(alg, utf8(text))), expected));
  }

  const hiThere = "Hi There";
  const larger = "Test Using Larger Than Block-Size Key - Hash Key First";
  const macs: readonly (readonly [string, c.HashName, Uint8Array, Uint8Array, string])[] = [
    ["RFC 2202, 1", "sha1", repeat(0x0b, 20), utf8(hiThere), "b617318655057264e28bc0b6fb378c8ef146be00"],
    [
      "RFC 4231, 1",
      "sha256",
      repeat(0x0b, 20),
      utf8(hiThere),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      "RFC 4231, 1",
      "sha384",
      repeat(0x0b, 20),
      utf8(hiThere),
      "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
    ],
    [
      "RFC 4231, 1",
      "sha512",
      repeat(0x0b, 20),
      utf8(hiThere),
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ],
    [
      "RFC 4231, 3",
      "sha256",
      repeat(0xaa, 20),
      repeat(0xdd, 50),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ],
    [
      "RFC 4231, 6",
      "sha256",
      repeat(0xaa, 131),
      utf8(larger),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ],
  ];
  for (const [origin, alg, key, data, expected] of macs) {
    it(`${origin}: HMAC with ${alg}`, () => {
      assert.equal(toHex(c.hmac(alg, key, data)), expected);
      assert.equal(toHex(c.hmac(alg, key, data.subarray(0, 3), data.subarray(3))), expected);
    });
  }

  it("SP 800-38A F.3.13 and F.3.14: AES-128 in CFB128 mode, all four blocks", () => {
    const key = hex("2b7e151628aed2a6abf7158809cf4f3c");
    const iv = hex("000102030405060708090a0b0c0d0e0f");
    const plain = hex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    const cipher = hex(
      "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
    );
    assert.equal(toHex(c.aesCfbEncrypt(key, iv, plain)), toHex(cipher));
    assert.equal(toHex(c.aesCfbDecrypt(key, iv, cipher)), toHex(plain));
    for (let size = 0; size <= plain.byteLength; size++) {
      // A stream mode: what comes later changes nothing before it.
      assert.deepEqual(c.aesCfbEncrypt(key, iv, plain.subarray(0, size)), cipher.subarray(0, size));
    }
  });

  const P384_KEY = "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5";
  const P256_KEY = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
  const rfc6979: readonly (readonly [c.CurveName, c.HashName, string, string, string, string])[] = [
    [
      "P-256",
      "sha256",
      P256_KEY,
      "sample",
      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ],
    [
      "P-256",
      "sha256",
      P256_KEY,
      "test",
      "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
      "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ],
    [
      "P-384",
      "sha384",
      P384_KEY,
      "sample",
      "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
      "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
    ],
    [
      "P-384",
      "sha384",
      P384_KEY,
      "test",
      "8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb0542a7f0812998da8f1dd3ca3cf023db",
      "ddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e06a739f040649a667bf3b828246baa5a5",
    ],
  ];
  for (const [curve, hash, d, text, r, s] of rfc6979) {
    it(`RFC 6979 A.2: ${curve}, ${hash}, message "${text}"`, () => {
      const key = c.ecKeyFromScalar(curve, hex(d)) ?? assert.fail();
      const signature = c.ecdsaSign(key, c.digest(hash, utf8(text)));
      assert.deepEqual([toHex(signature.r), toHex(signature.s)], [r, s]);
      assert.equal(ecdsaVerify(key, c.digest(hash, utf8(text)), signature), true);
      assert.equal(c.ecdsaVerifyMessage(key, hash, utf8(text), signature), true);
    });
  }

  const rfc8032: readonly (readonly [string, string, string, string, string])[] = [
    [
      "1",
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "2",
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
      "3",
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
    [
      "SHA(abc)",
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ],
  ];
  for (const [name, seed, publicKey, message, signature] of rfc8032) {
    it(`RFC 8032 7.1: test ${name}`, () => {
      const key = c.ed25519FromSeed(hex(seed));
      assert.equal(toHex(key.key), publicKey);
      assert.equal(toHex(c.ed25519Sign(key, hex(message))), signature);
      assert.equal(c.ed25519Verify(key, hex(message), hex(signature)), true);
      assert.equal(c.ed25519Verify(key, concat(hex(message), Uint8Array.of(0)), hex(signature)), false);
    });
  }

  it("RFC 5903 8.1: the shared x coordinate on P-256", () => {
    const own = c.ecKeyFromScalar("P-256", hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"));
    const peer = c.ecKeyFromScalar("P-256", hex("c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53"));
    assert.ok(own !== undefined && peer !== undefined);
    assert.equal(toHex(own.x), "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180");
    const shared = "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de";
    assert.equal(toHex(c.ecdh(own, peer) ?? assert.fail()), shared);
    assert.equal(toHex(c.ecdh(peer, own) ?? assert.fail()), shared);
  });
});

/** Expected values: `openssl kdf ... KBKDF` (SP 800-108, counter mode, HMAC) and `SSKDF` (SP 800-56C) of OpenSSL 3.0, which are what KDFa and KDFe profile. */
describe("shared/crypto key derivation against OpenSSL's", () => {
  const key = hex("000102030405060708090a0b0c0d0e0f");
  const none = new Uint8Array();

  it("KDFa with a name as contextU, as the credential's symmetric key", () => {
    const name = concat(hex("000b"), repeat(0xab, 32));
    assert.equal(toHex(c.kdfa("sha256", key, "STORAGE", name, none, 128)), "f54f7a3b3e73f3a64f62700472fb231e");
    assert.equal(toHex(c.kdfa("sha256", key, "STORAGE", none, name, 128)), "f54f7a3b3e73f3a64f62700472fb231e");
  });

  it("KDFa of two and of three blocks", () => {
    assert.equal(
      toHex(c.kdfa("sha256", key, "INTEGRITY", none, none, 384)),
      "271b13b3dcc02f64f50edbb33a54e556c0eccad85f6fffaec86fc35be9eb703dd5258ada390bd12f05f580da83c122aa",
    );
    assert.equal(
      toHex(c.kdfa("sha384", key, "CFB", hex("01020304"), hex("05060708"), 640)),
      "95dd8849ee53dc380926a0c03ef32b82455b96bf889e24310a58233db877ceb35c290be3ba3de0a8c38289f3b719dc66a953d0816e3cfccdfdac8b841069c2c73d171fa4b3fbe76f64b119619d2b2c81",
    );
  });

  it("KDFa of a session with SHA-1", () => {
    const derived = c.kdfa("sha1", key, "ATH", repeat(0x11, 16), repeat(0x22, 16), 160);
    assert.equal(toHex(derived), "fdd3043fdad3deae555c122b7440102679296745");
  });

  it("KDFe with SHA-256 and SHA-384", () => {
    const derive = (alg: c.HashName) =>
      toHex(c.kdfe(alg, repeat(0xa5, 32), "DUPLICATE", repeat(0x11, 32), repeat(0x22, 32), 384));
    assert.equal(
      derive("sha256"),
      "a11fc54423d97ed514f0d2429ffe4c5e8f490dee8de43615d139ff38d556dc459c88a455f931bf5d0ba288b964565112",
    );
    assert.equal(
      derive("sha384"),
      "7f59878b0f68c763d7db1346701e3bf71e515cf67f0cd13f9aa66676745a8cb95e73d0e99e4ae737fb629b5500ed9f0c",
    );
  });
});
