/**
 * RSA against published answers: NIST's CAVP (FIPS 186-3, SigVer15 of CAVS 11.0 and SigGenPSS of CAVS 10.1), and example 1 of RSAES-OAEP in the
 * test vectors of RSA Laboratories for PKCS #1 v2.1 (oaep-vect.txt).
 */
import assert from "node:assert/strict";
import { fromHex, toHex } from "../../../shared/bytes/index.ts";
import * as c from "../../../shared/crypto/index.ts";

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(/\s/g, "")) ?? assert.fail(`not hex: ${text}`);
const integer = (text: string): bigint => BigInt(`0x${text.replaceAll(/\s/g, "")}`);

describe("shared/crypto RSASSA-PKCS1-v1_5 against NIST's vectors", () => {
  const n = hex(
    `a8d68acd413c5e195d5ef04e1b4faaf242365cb450196755e92e1215ba59802aafbadbf2564dd550956abb54f8b1c917844e5f36195d1088c600e07cada5c080
     ede679f50b3de32cf4026e514542495c54b1903768791aae9e36f082cd38e941ada89baecada61ab0dd37ad536bcb0a0946271594836e92ab5517301d45176b5`,
  );
  const p = integer(
    "c107a2fe924b76e206cb9bc4af2ab7008547c00846bf6d0680b3eac3ebcbd0c7fd7a54c2b9899b08f80cde1d3691eaaa2816b1eb11822d6be7beaf4e30977c49",
  );
  const q = integer(
    "dfea984ce4307eafc0d140c2bb82861e5dbac4f8567cbc981d70440dd639492079031486315e305eb83e591c4a2e96064966f7c894c3ca351925b5ce82d8ef0d",
  );
  const cases: readonly (readonly [string, number, boolean, string, string])[] = [
    [
      "the message is another",
      3,
      false,
      `ff23e00f819bae424e41d6b762ea6b88801e651c831c964af31de0c1d6dda4a7c8587d804ed12f526819da06650e7412fb627555979ed442f2663341e5fe5752
       7e0ddaf453a124451674976a6a6e0a31f56a79f5b73dfac39af4f3ba4a5e8bb846cb5e333812756482d975ab1910162f96bfd7c58a02f113125189f5ac05291f`,
      `10ecd0085694f8db6ea62dab2f239d8a93fcf449102f1368c67de329d79692b677500f55994c9722e2633063fc7d8c2c50ae8857d45c08bfaba9448dda0689c2
       a08605d47a7694beaacbdad1a954458a87fd78b6519393013b20996d636b755323b4b2b2b6d06a46c9221cd200462428ab5bef0f9743e144191f6928562627a7`,
    ],
    [
      "the signature is another",
      3,
      false,
      `a6ce108ff3100b953781496c3d081fe32b8cedaf6d14aab2ef2dc37d8f8d2613d2f599efd55c51498749c0961681ae4ea7e28bf14a8f044c2d4dd4f9102ddd25
       f86c7795289708eb4df2d526f91b176952eb52fd0c9de2989432d6e08e13022b82f95089d20a5704f0452f26cd1f83bc956ee7da99876c1f8da3723af388bead`,
      `488d328861653ab0a769a11a158ec7b479b62db5b253eda899beae580afb9a7c762030262b8a066f085185475e17870700504d3f78fcc4bcb95a3c1648796a32
       3613a7b706cb64b048c68c06b396aac20b52f22f3fdce40992fb9a5ef68b5725134d83035a6f091d01aa5947175885822b2d4618c3f3fdbfd8819847fe40112b`,
    ],
    [
      "the exponent is another",
      17,
      false,
      `9edf5246ae1d8fe800bc2ed422e6441cedde94c85a870277972a4b4a5a74f4fd76be8057ac92e6c5c36a4242dabacb79fe31052ef83c38da68cd2095185ae639
       8a284fc5d3c934fface4325ec734a2265fd3cbd513b957bef47f04f4dd699c6903a42757cccc5fdfe5b264f18f5bb16b394c4f855404486c63cb5f2d51aafed5`,
      `7c547b350710337c783e7406935fb8ac7bcd1cdd4a7bcaeb63422067d1239f9f59fc29b51993a29d6ac8dcc7980871bbba1be8f0b6ce951a9e0cad64b37d7d0c
       3734e038efcd4e3499c8855f7c52ea3323ba4876ba9d78a98e7e5cf72b4b7444228dd0d81283e59055873450b8bc411d1cb970efda5cf5947a1d1f17e92a4639`,
    ],
    [
      "all is right",
      3,
      true,
      `d73829497cddbe41b705faac50e7899fdb5a38bf3a459e536357029e64f8796ba47f4fe96ba5a8b9a4396746e2164f55a25368ddd0b9a5188c7ac3da2d1f7422
       86c3bdee697f9d546a25efcfe53191d743fcc6b47833d993d08804daeca78fb9076c3c017f53e33a90305af06220974d46bf19ed3c9b84edbae98b45a8771258`,
      `0b20e5093c2a926233108afbdd851b88eeb554f4beaa7b18e51519f7d0ec53b181a3b03e8484ba8de2aa7864a402e2208e84ec9914af9d776ed13c48bdeb6484
       254de169318a87c40f2265ff16714eae8aee2bc9c3cb4dee045e4f5d9d625210121bfcf2bed8d3ffa602ce27fff4e61cf9bb650e71a6921ae6ffa296cb11bdbb`,
    ],
    [
      "the digest stands further left, with bytes behind it",
      3,
      false,
      `a4397d9ab677aaa13a68a09de9ae0ed4045d479aa0ff3a7242dca477ab7884faf55cd06ddf19667f668b4589955bfd299dc7642c28a68bb2eba6f08c7ad9f5e9
       6170913270c6463256a0537a72b32a04e5662416ecda74696d275a8bcfe999820ffc2ab210833201332f323828be7dac04c1f01f93a3dde1efe7483a51b1560d`,
      `9313380722659eeccf8be943fbf514e90fb19657dfb410a50bdfc0cfb058a58e56bbae71ea1a30ecee08ca5d31a2d0bcd3f5a967a3794259c03635ee24cf2a15
       303ddb5962ae9747d72e83f630580600ba64d24bc4014c5d44640b2369b45fb09c2ba20721e0ae27d1a32546afa1bd023aa61079cea65389f55c31cfedb460b3`,
    ],
    [
      "the zero behind the padding is missing",
      3,
      false,
      `e4690fb08396a8bf07377778a447dbd14c771024bd2353cbbd8446eda42795971c9eda0f2575be655c68614a7cd2fd252569c664dc291410548ec3a5eb06da20
       78a66c59441cbc9356e5a452f4c0386d6662a663fd6b61f254997ee6d63b5e3080e98d37e873ea737f17083713f7d5ce98ca79ca27d18199470c3d596caf66ed`,
      `477a7d6ff281bee7d56ac9cdc7f041b7497483f07a3cea5667ff178233219f75da7b88d9fc854a22ef541af3a5be8fb30b4e50bcb6d130e11f6c18eadec5d10f
       9895d654c0947aad152ba395c1039d7a8ff41b829179984a513f1abeb5a748bf248af1ea0152093d9fafb5d18e4cf91bd3b57ddd18b6984d976e6bef58cb30ec`,
    ],
  ];
  for (const [what, e, right, message, signature] of cases) {
    it(`SHA-256: ${what}`, () => {
      const digest = c.digest("sha256", hex(message));
      assert.equal(c.rsaPkcs1Verify({ type: "rsa", n, e }, "sha256", digest, hex(signature)), right);
      if (!right) return;
      const key = c.rsaKeyFromPrimes(p, q, e, 1024) ?? assert.fail("no key");
      assert.equal(toHex(c.rsaPkcs1Sign(key, "sha256", digest)), toHex(hex(signature)));
    });
  }
});

describe("shared/crypto RSASSA-PSS against NIST's vectors", () => {
  const key: c.RsaPublicKey = {
    type: "rsa",
    n: hex(
      `c87155f3d9f3771f6ab89ef30cd36230463902ff0633aa869b6dbd7592c83f4b2f882739ff499f1499fb0db4586c7f7b2dfd5a37dbe0df37dea9d0d5814a4047
       b647c1d8eb356ebae6a198899f97c25f9182fab2b6be88384a1b8cb16a82a05aaadf610ce2e045b41b8880a13b7133ea07296126471c9a450ae48bc880102c8b`,
    ),
    e: 0x1001,
  };
  const cases: readonly (readonly [c.HashName, string, string])[] = [
    [
      "sha1",
      `cfaecfe138c2e6e1ae3a2c46177944bbc29da763920fea125f5840be99373f302ef0e7ffaee6e0bfae6c03766ad91c4faedaee93f60d78d4d4cb776c92452c26
       18d25f3a1187a47f4a09dddc5a9f00ff888b1b52e99b952bc9fbb6444c4d696a55fb4179a7ccbb874bb6c36031f479331a58348ab4e1c77f0790042d11787f66`,
      `101769CABA2C5A8652AEFBC55466D0476D5DEC508EFF8AD282E56033F9C8389B77615D83BBC2556C245B0DECD63AAB2084A3653F361C94E4DD9DA2D17E390A0A
       F2AA46AE7382D96D3F45AB88CB81694BCA9D072AAEC703B4681E741687BF8DDEFEC11A3427BACD601A6849A328C0AC7367FB7B8A751A125113729BC6160568C9`,
    ],
    [
      "sha256",
      `19828d058058243557e29ec3f95b566fb4292c6e7dc0d56ae1c475cb3f6d6f3535307b51589cfad1288287ae4358cfb4d8dfa2415f044a4a87041b9e70d44b6f
       1bc0040e1f52b8f69d75b50c75daf925ba9b47c9641f7a37453d1aa83fa42dd8b37a4fc33c4305ac9e054f64f9a97cc943a5428df4d80e3903b5997112a4bc79`,
      `A3263F4C84AB6EF687A3853E5D91D296B125428F80F3C4DCEFCF4FB7F1C41CEBF9AA3CFD0CF2B617EC2DF8AB3379FFCC7FDF72EC659940E0DCDFA453BEF7E917
       2941B5C8AAF87E58DE3316F103856D922AE5929B3B6CF2A7BBF95C49DDBD8C15B4AC73370D0A28B20514637ABFF56157E15DF57C5860EDEBED44D4917F2D1F8B`,
    ],
    [
      "sha256",
      `1e0ffcab2f1d52641097cf6cb3b696eeed10b450d56ca5ad6dd5198684edf8b4da84a3a186697db89580aa1af41516939070b9ccbbaa1ac2d2bf12761ce3d3e7
       f61a283d2d03ff47acf42427574c4f4c360561a1d689eb04ecc7f0fa3c85eca1b9f814e6ee92e0f79c1bc7fca503490228f73337eeb21f5d05163a79aa7b4acb`,
      `1A0A52B98714806EF7499C9DBBE51738AA4D38A3EA434C6A1742A46A7620E2EC9353349CAA23834FBD634A824D4700A610E00AA5BF87B1DF7B2900D7E4E07454
       A30F1FE744CEB757B8F92CF055D226E84D5E633F589E53B0373EE80A59EADA4B7259F5182DC591427345232EBCAF4DDBD4F9DC90313415E96CF53C59C16281FE`,
    ],
  ];
  for (const [hash, message, signature] of cases) {
    it(`${hash}, without a salt, message ${message.slice(0, 8)}...`, () => {
      const digest = c.digest(hash, hex(message));
      assert.equal(c.rsaPssVerify(key, hash, digest, hex(signature), 0), true);
      assert.equal(c.rsaPssVerify(key, hash, digest, hex(signature)), true);
      assert.equal(c.rsaPssVerify(key, hash, digest, hex(signature), 20), false);
      const other = c.digest(hash, hex(message).subarray(1));
      assert.equal(c.rsaPssVerify(key, hash, other, hex(signature), 0), false);
    });
  }
});

describe("shared/crypto RSAES-OAEP against the vectors of RSA Laboratories", () => {
  const p = integer(
    "d32737e7267ffe1341b2d5c0d150a81b586fb3132bed2f8d5262864a9cb9f30af38be448598d413a172efb802c21acf1c11c520c2f26a471dcad212eac7ca39d",
  );
  const q = integer(
    "cc8853d1d54da630fac004f471f281c7b8982d8224a490edbeb33d3e3d5cc93c4765703d1dd791642f1f116a0dd852be2419b2af72bfe9a030e860b0288b5d77",
  );
  const label = new Uint8Array();
  const cases = [
    [
      "1.1",
      "6628194e12073db03ba94cda9ef9532397d50dba79b987004afefe34",
      "18b776ea21069d69776a33e96bad48e1dda0a5ef",
      `354fe67b4a126d5d35fe36c777791a3f7ba13def484e2d3908aff722fad468fb21696de95d0be911c2d3174f8afcc201035f7b6d8e69402de5451618c21a535f
       a9d7bfc5b8dd9fc243f8cf927db31322d6e881eaa91a996170e657a05a266426d98c88003f8477c1227094a0d9fa1e8c4024309ce1ecccb5210035d47ac72e8a`,
    ],
    [
      "1.2",
      "750c4047f547e8e41411856523298ac9bae245efaf1397fbe56f9dd5",
      "0cc742ce4a9b7f32f951bcb251efd925fe4fe35f",
      `640db1acc58e0568fe5407e5f9b701dff8c3c91e716c536fc7fcec6cb5b71c1165988d4a279e1577d730fc7a29932e3f00c81515236d8d8e31017a7a09df4352
       d904cdeb79aa583adcc31ea698a4c05283daba9089be5491f67c1a4ee48dc74bbbe6643aef846679b4cb395a352d5ed115912df696ffe0702932946d71492b44`,
    ],
  ] as const;
  for (const [name, message, seed, ciphertext] of cases) {
    it(`example ${name}: the ciphertext from message and seed, and back`, () => {
      const key = c.rsaKeyFromPrimes(p, q, 65_537, 1024) ?? assert.fail("no key");
      const random = { bytes: (size: number) => hex(seed).subarray(0, size) };
      const encrypted = c.rsaOaepEncrypt(key, "sha1", label, hex(message), random) ?? assert.fail("too long");
      assert.equal(toHex(encrypted), toHex(hex(ciphertext)));
      assert.equal(toHex(c.rsaOaepDecrypt(key, "sha1", label, encrypted) ?? assert.fail("refused")), message);
    });
  }
});
