/** CR: signatures that are right only for a verifier who does not look closely. */
import { concat, decode, encode, equal, fromHex } from "../../../shared/bytes/index.ts";
import {
  curveOrder,
  digest,
  type Ed25519PublicKey,
  generateRsaKey,
  type PublicKey,
  rsaPrivate,
  rsaPublic,
  toBigInt,
  toBytes,
} from "../../../shared/crypto/index.ts";
import { anyElement, Tag } from "../../../shared/x509/der.ts";
import { bitString } from "../../../shared/x509/der-types.ts";
import { enrol, openAttestation, sendEvidence } from "../../conformance/flows.ts";
import { softwareMachine } from "../../conformance/machine.ts";
import { platformOf } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import { Unmet } from "../../conformance/unmet.ts";
import { seededRandom } from "../../support/random.ts";
import { ed25519, type Party } from "../../support/x509.ts";
import type { Attack } from "../attack.ts";
import { attestsSaid, enrolledAttests, evidenceSaid, said } from "../ways.ts";
import { caOf, chained, leafOf } from "./certificates.ts";

const WRONG = "4.03 the evidence is not signed by the AIK of this platform";
const SHA256_INFO = fromHex("3031300d060960864801650304020105000420") ?? new Uint8Array();
/** DigestInfo without the NULL of its algorithm. */
const SHORT_INFO = fromHex("302f300b06096086480165030402010420") ?? new Uint8Array();

/** The signature of honest evidence is replaced. */
function resigned(id: string, title: string, change: (signature: Uint8Array, data: Uint8Array) => Uint8Array): Attack {
  return {
    id,
    title,
    expected: WRONG,
    honest: "2.04",
    attack: ({ me, enrolled }) =>
      evidenceSaid(me, enrolled, async (request) => {
        const { data, signature } = await enrolled.machine.quote(request);
        return { data, signature: change(signature, data) };
      }),
    control: enrolledAttests,
  };
}

/** The same of a platform with an RSA key, which the attacker may even know. */
function rsaResigned(
  id: string,
  title: string,
  change: (signature: Uint8Array, data: Uint8Array, fake: ReturnType<Scene["software"]>) => Uint8Array,
  expected = WRONG,
): Attack {
  const enrolled = async (scene: Scene) => {
    const fake = scene.software({ aik: "restricted-rsa" });
    const platform = await platformOf(softwareMachine(fake), `rsa-${id}`);
    return { fake, platform };
  };
  return {
    id,
    title,
    expected,
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { fake, platform } = await enrolled(scene);
      await enrol(scene.me, platform);
      return evidenceSaid(scene.me, platform, async (request) => {
        const { data, signature } = await platform.machine.quote(request);
        return { data, signature: change(signature, data, fake) };
      });
    },
    control: async (scene) => attestsSaid(await scene.peer(), (await enrolled(scene)).platform),
  };
}

const half = (signature: Uint8Array) => signature.subarray(0, 32);
const order = () => toBytes(curveOrder("P-256"), 32);

/** The certificate with another signature over the same content. */
function withSignature({ certificate, key }: Party, signature: Uint8Array): Party {
  const { contents } = decode(anyElement, certificate.der);
  const old = encode(bitString, certificate.signature);
  const head = contents.subarray(0, contents.byteLength - old.byteLength);
  const der = encode(anyElement, { tag: Tag.Sequence, contents: concat(head, encode(bitString, signature)) });
  return { certificate: { ...certificate, der, signature }, key };
}

/** The smallest integer whose cube is not below `n`. */
function cubeRoot(n: bigint): bigint {
  let low = 0n;
  let high = 1n << (BigInt(n.toString(2).length) / 3n + 1n);
  while (low < high) {
    const middle = (low + high) >> 1n;
    if (middle ** 3n < n) low = middle + 1n;
    else high = middle;
  }
  return low;
}

/** Bleichenbacher 2006: with exponent 3 a cube whose head is padding, DigestInfo and digest, and whose rest is whatever a cube has. */
function cubeForgery(key: PublicKey, message: Uint8Array): Uint8Array {
  if (key.type !== "rsa") throw new Unmet("no RSA key");
  const head = concat(
    Uint8Array.of(0, 1),
    new Uint8Array(8).fill(0xff),
    Uint8Array.of(0),
    SHA256_INFO,
    digest("sha256", message),
  );
  const size = key.n.byteLength;
  const target = toBigInt(concat(head, new Uint8Array(size - head.byteLength)));
  const signature = toBytes(cubeRoot(target), size);
  const opened = rsaPublic(key, signature);
  if (opened === undefined || !equal(opened.subarray(0, head.byteLength), head)) throw new Unmet("no cube begins so");
  return signature;
}

const cheap = generateRsaKey(seededRandom(2, "attacks e=3"), 2048, 3);
const ED25519_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;
/** The neutral element: whatever is signed, R = 1 and S = 0 fit. */
const NEUTRAL = Uint8Array.of(1, ...new Uint8Array(31));
const smallOrder: Ed25519PublicKey = { type: "ed25519", key: NEUTRAL };

const edCa = (vendor: Parameters<typeof caOf>[0]): Party => caOf(vendor, { key: ed25519("attacked-ed") });

/** A P-256 signature in DER of these two integers, each one byte. */
const tinySignature = (r: number, s: number) => Uint8Array.of(0x30, 6, 2, 1, r, 2, 1, s);

export const signatureAttacks: readonly Attack[] = [
  resigned("CR-01", "sign with ECDSA r = s = 0", () => new Uint8Array(64)),
  resigned("CR-02", "sign with r = 0", (signature) => concat(new Uint8Array(32), signature.subarray(32))),
  resigned("CR-03", "sign with s = 0", (signature) => concat(half(signature), new Uint8Array(32))),
  resigned("CR-04", "sign with r and s of the curve's order", () => concat(order(), order())),
  resigned("CR-05", "add the order to s", (signature) => {
    const s = (toBigInt(signature.subarray(32)) + curveOrder("P-256")) & ((1n << 256n) - 1n);
    return concat(half(signature), toBytes(s, 32));
  }),
  resigned("CR-06", "send no signature but one byte", () => Uint8Array.of(0)),
  {
    id: "CR-07",
    title: "send the other form of an ECDSA signature (r, n - s) after the first, to attest twice",
    expected: "4.04 no such attestation",
    honest: "2.04",
    async attack({ me, enrolled }) {
      const { id, request } = await openAttestation(me, enrolled);
      const { data, signature } = await enrolled.machine.quote(request);
      await sendEvidence(me, id, { data, signature });
      const s = toBytes(curveOrder("P-256") - toBigInt(signature.subarray(32)), 32);
      return said(await sendEvidence(me, id, { data, signature: concat(half(signature), s) }));
    },
    control: enrolledAttests,
  },
  rsaResigned("CR-08", "put a zero in front of an RSA signature", (signature) => concat(Uint8Array.of(0), signature)),
  rsaResigned("CR-09", "add the modulus to an RSA signature", (signature, _data, { aik }) =>
    "n" in aik ? toBytes(toBigInt(signature) + toBigInt(aik.n), 257) : signature,
  ),
  rsaResigned("CR-10", "sign with the RSA signature 1, which is its own power", () => {
    return toBytes(1n, 256);
  }),
  rsaResigned(
    "CR-11",
    "leave the parameters of the DigestInfo out, as lenient parsers take it",
    (_signature, data, { aik }) => {
      const info = concat(SHORT_INFO, digest("sha256", data));
      return "n" in aik ? (padded(aik, info) ?? new Uint8Array(1)) : new Uint8Array(1);
    },
  ),
  rsaResigned("CR-12", "put bytes behind the digest and less padding before it", (_signature, data, { aik }) => {
    const info = concat(SHA256_INFO, digest("sha256", data));
    return "n" in aik ? (padded(aik, info, 64) ?? new Uint8Array(1)) : new Uint8Array(1);
  }),
  chained(
    "CR-13",
    "forge the signature of a CA with exponent 3 by a cube root (Bleichenbacher 2006)",
    "signature-invalid",
    (vendor) => {
      const middle = caOf(vendor, { key: cheap });
      const leaf = leafOf(middle);
      return [middle, withSignature(leaf, cubeForgery(cheap, leaf.certificate.tbs))];
    },
    (vendor) => {
      const middle = caOf(vendor, { key: cheap });
      return [middle, leafOf(middle)];
    },
  ),
  chained("CR-14", "sign a certificate with ECDSA r = s = 0", "signature-invalid", (vendor) => [
    withSignature(leafOf(vendor), tinySignature(0, 0)),
  ]),
  chained(
    "CR-15",
    "have a CA whose Ed25519 key is of small order vouch: R = 1 and S = 0 fit any message",
    "signature-invalid",
    (vendor) => {
      const middle = caOf(vendor, { key: ed25519("attacked-ed"), spec: { publicKey: smallOrder } });
      const leaf = leafOf(edCa(vendor));
      return [middle, withSignature(leaf, concat(NEUTRAL, new Uint8Array(32)))];
    },
    (vendor) => [edCa(vendor), leafOf(edCa(vendor))],
  ),
  chained(
    "CR-16",
    "add the group's order to S of an Ed25519 signature",
    "signature-invalid",
    (vendor) => {
      const middle = edCa(vendor);
      const leaf = leafOf(middle);
      const { signature } = leaf.certificate;
      const s = toBigInt(signature.slice(32).reverse()) + ED25519_ORDER;
      return [middle, withSignature(leaf, concat(signature.slice(0, 32), toBytes(s, 32).reverse()))];
    },
    (vendor) => [edCa(vendor), leafOf(edCa(vendor))],
  ),
];

/** EMSA-PKCS1-v1_5 of this DigestInfo and so many zeros behind it, signed. */
function padded(key: Parameters<typeof rsaPrivate>[0], info: Uint8Array, behind = 0): Uint8Array | undefined {
  const fill = key.n.byteLength - info.byteLength - 3 - behind;
  const ones = new Uint8Array(fill).fill(0xff);
  return rsaPrivate(key, concat(Uint8Array.of(0, 1), ones, Uint8Array.of(0), info, new Uint8Array(behind)));
}
