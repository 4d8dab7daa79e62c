/** CE: EK certificates that no vendor meant so. */
import type { RsaPrivateKey } from "../../../shared/crypto/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import {
  ExtendedKeyUsageDer,
  type Extension,
  extension,
  type Issuer,
  keyIdentifier,
  NameConstraintsDer,
  nameOf,
  Oid,
  parseCertificate,
  SubjectAltNameDer,
  SubjectKeyIdentifierDer,
  validateChain,
} from "../../../shared/x509/index.ts";
import { certs } from "../../conformance/flows.ts";
import type { Scene } from "../../conformance/scene.ts";
import {
  akid,
  ca,
  constraints,
  END,
  ek,
  ekDer,
  flipped,
  named,
  type Party,
  p256,
  rsa,
  usage,
  type Wish,
} from "../../support/x509.ts";
import type { Attack } from "../attack.ts";
import { said } from "../ways.ts";

export const NO_VENDOR = "4.03 the TPM's EK certificate does not lead to a trusted vendor";

export const leafOf = (issuer: Issuer, wish: Partial<Wish> = {}): Party =>
  ek({ name: "attacked EK", key: p256("attacked-ek"), issuer, ...wish });
export const caOf = (issuer: Issuer, wish: Partial<Wish> = {}): Party =>
  ca({ name: "attacked CA", key: p256("attacked-ca"), issuer, ...wish });

/** Certificates, or bytes that are to be one. */
type Chain = readonly (Pick<Party, "certificate"> | Uint8Array)[];

export const sendChain = async ({ me }: Pick<Scene, "me">, chain: Chain): Promise<string> =>
  said(await me.post(V1.EK, certs(chain.map((one) => (one instanceof Uint8Array ? one : one.certificate.der)))));

/** A chain below the trusted vendor with one thing wrong, and the same chain without it. */
export function chained(
  id: string,
  title: string,
  reason: string,
  wrong: (vendor: Issuer, scene: Scene) => Chain,
  right: (vendor: Issuer) => Chain = (vendor) => [leafOf(vendor)],
): Attack {
  return {
    id,
    title,
    expected: reason.startsWith("4.") || reason.startsWith("2.") ? reason : `${NO_VENDOR}: ${reason}`,
    honest: "2.01",
    state: "owned",
    attack: async (scene) => sendChain(scene, wrong(scene.vendor, scene)),
    control: async (scene) => sendChain(scene, right(scene.vendor)),
  };
}

const unknown: Extension = { oid: "1.3.6.1.4.1.57264.1.99", critical: true, value: Uint8Array.of(5, 0) };
const below = (vendor: Issuer): Chain => {
  const middle = caOf(vendor);
  return [middle, leafOf(middle)];
};
const shortPath = (vendor: Issuer): Party => caOf(vendor, { extensions: [constraints(true, 0)] });

/** Public RSA keys with numbers of their own: what their holder would sign with does not matter. */
const numbers = (issuer: Issuer, change: (key: RsaPrivateKey) => Partial<RsaPrivateKey>): Uint8Array => {
  const key = rsa("attacked-ek");
  if (key.type !== "rsa") throw new RangeError("no RSA key");
  return ekDer({ name: "attacked EK", key: { ...key, ...change(key) }, issuer });
};

/** Two CAs that vouch for each other. */
function loop(): Chain {
  const keys = { a: p256("loop a"), b: p256("loop b") };
  const a = ca({ name: "A", key: keys.a, issuer: ca({ name: "B", key: keys.b }) });
  const b = ca({ name: "B", key: keys.b, issuer: ca({ name: "A", key: keys.a }) });
  return [a, b, leafOf(a)];
}

/** The subject key identifier of the vendor's root, as a certificate of somebody else says it. */
const sameIdentifier = (vendor: Issuer): Extension =>
  extension(
    Oid.subjectKeyIdentifier,
    false,
    SubjectKeyIdentifierDer,
    vendor.certificate.extensions.subjectKeyIdentifier ?? keyIdentifier(vendor.key),
  );

const noEkBelow = (): Extension => {
  const permitted = [{ kind: "directory" as const, name: named("somebody else") }];
  return extension(Oid.nameConstraints, true, NameConstraintsDer, { permitted, excluded: undefined });
};

/** Manufacturer, model and version, as the TCG has them in EK certificates. */
const tpmName = (): Extension => {
  const name = nameOf([
    [Oid.tpmManufacturer, "id:46424E4C"],
    [Oid.tpmModel, "attacked"],
    [Oid.tpmVersion, "id:00010002"],
  ]);
  return extension(Oid.subjectAltName, false, SubjectAltNameDer, [{ kind: "directory", name }]);
};

export const certificateAttacks: readonly Attack[] = [
  chained("CE-01", "have the token's owner vouch for the EK", "forbidden-root", (_vendor, { keys }) => [
    ...keys.owner.chain.map((certificate) => ({ certificate })),
    leafOf(keys.owner.issuing),
  ]),
  chained("CE-02", "have somebody nobody knows vouch for the EK", "untrusted-root", () => [
    leafOf(ca({ name: "stranger", key: p256("stranger") })),
  ]),
  chained("CE-03", "let the EK certificate sign itself", "untrusted-root", () => [
    ek({ name: "attacked EK", key: p256("attacked-ek") }),
  ]),
  chained(
    "CE-04",
    "send a root of one's own along, with the name of the vendor's",
    "key-identifier-mismatch",
    (vendor) => {
      const twin = ca({
        name: "twin",
        key: p256("twin"),
        extensions: [sameIdentifier(vendor)],
        spec: { subject: vendor.certificate.subject, issuer: vendor.certificate.subject },
      });
      return [twin, leafOf(twin, { extensions: [akid(keyIdentifier(vendor.key))] })];
    },
  ),
  chained("CE-05", "claim the key identifier of the vendor's root with another key", "signature-invalid", (vendor) => {
    const forger = { certificate: vendor.certificate, key: p256("forger") };
    return [leafOf(forger, { extensions: [akid(keyIdentifier(vendor.key))] })];
  }),
  chained(
    "CE-06",
    "use an EK certificate as a CA for others",
    "not-a-ca",
    (vendor) => {
      const bought = leafOf(vendor, { name: "bought EK", key: p256("bought") });
      return [bought, leafOf(bought)];
    },
    below,
  ),
  chained(
    "CE-07",
    "use a CA whose certificate may not sign certificates",
    "key-usage",
    (vendor) => {
      const middle = caOf(vendor, { extensions: [usage("cRLSign")] });
      return [middle, leafOf(middle)];
    },
    below,
  ),
  chained(
    "CE-08",
    "put a CA below one with pathLenConstraint 0",
    "path-too-long",
    (vendor) => {
      const short = shortPath(vendor);
      const more = caOf(short, { name: "one more", key: p256("one more") });
      return [short, more, leafOf(more)];
    },
    (vendor) => {
      const short = shortPath(vendor);
      return [short, leafOf(short)];
    },
  ),
  chained("CE-09", "let two CAs vouch for each other", "loop", loop),
  chained("CE-10", "name another issuer than the one that signed", "issuer-mismatch", (vendor) => [
    leafOf(vendor, { spec: { issuer: named("somebody else") } }),
  ]),
  chained("CE-11", "name another key of the issuer", "key-identifier-mismatch", (vendor) => [
    leafOf(vendor, { extensions: [akid(keyIdentifier(p256("other")))] }),
  ]),
  chained("CE-12", "make the EK certificate a CA", "is-a-ca", (vendor) => [
    leafOf(vendor, { extensions: [constraints(true)] }),
  ]),
  chained("CE-13", "use a certificate for signing keys, such as an AIK's, as EK certificate", "key-usage", (vendor) => [
    leafOf(vendor, { extensions: [usage("digitalSignature")] }),
  ]),
  chained("CE-14", "use a TLS server certificate of the vendor", "extended-key-usage", (vendor) => [
    leafOf(vendor, { extensions: [extension(Oid.extendedKeyUsage, true, ExtendedKeyUsageDer, ["1.3.6.1.5.5.7.3.1"])] }),
  ]),
  chained(
    "CE-15",
    "hide a condition in an unknown critical extension",
    "unknown-critical-extension",
    (vendor) => [leafOf(vendor, { extensions: [unknown] })],
    (vendor) => [leafOf(vendor, { extensions: [{ ...unknown, critical: false }] })],
  ),
  chained(
    "CE-16",
    "use a CA outside its name constraints",
    "name-constraint",
    (vendor) => {
      const middle = caOf(vendor, { extensions: [noEkBelow()] });
      return [middle, leafOf(middle)];
    },
    below,
  ),
  chained(
    "CE-17",
    "use an RSA key of 1024 bits",
    "weak-key",
    (vendor) => [leafOf(vendor, { key: rsa("weak", 1024) })],
    (vendor) => [leafOf(vendor, { key: rsa("attacked-ek") })],
  ),
  chained(
    "CE-18",
    "use an RSA key with exponent 1",
    "4.03 the computer's answer is not what the protocol says",
    (vendor) => [numbers(vendor, () => ({ e: 1 }))],
    (vendor) => [leafOf(vendor, { key: rsa("attacked-ek") })],
  ),
  chained(
    "CE-19",
    "use an RSA EK with exponent 3, which encrypts the credential's seed",
    "4.03 the EK is of a kind",
    (vendor) => [numbers(vendor, () => ({ e: 3 }))],
    (vendor) => [leafOf(vendor, { key: rsa("attacked-ek") })],
  ),
  chained(
    "CE-20",
    "use an RSA EK with an even modulus",
    "4.03 the computer's answer is not what the protocol says",
    (vendor) => [numbers(vendor, ({ n }) => ({ n: even(n) }))],
    (vendor) => [leafOf(vendor, { key: rsa("attacked-ek") })],
  ),
  chained(
    "CE-21",
    "use a P-256 EK whose point is not on the curve",
    "4.03 the computer's answer is not what the protocol says",
    (vendor) => [
      ekDer({ name: "attacked EK", key: { ...p256("attacked-ek"), y: p256("attacked-ek").x }, issuer: vendor }),
    ],
  ),
  chained("CE-22", "turn one bit of the vendor's signature", "signature-invalid", (vendor) => {
    const { certificate, key } = leafOf(vendor);
    return [{ certificate: parseCertificate(flipped(certificate.der, 8 * certificate.der.byteLength - 1)), key }];
  }),
  chained(
    "CE-23",
    "send more certificates than a chain has, to make work",
    "8 certificates, 4 at most",
    (vendor) => {
      const many = [caOf(vendor)];
      for (let i = 0; i < 6; i++) many.push(caOf(many.at(-1) ?? vendor, { name: `CA ${i}`, key: p256(`CA ${i}`) }));
      return [...many, leafOf(many.at(-1) ?? vendor)];
    },
    below,
  ),
  {
    id: "CE-24",
    title: "use an EK certificate that expired, on a stick, which has no calendar",
    expected: "2.01",
    honest: "2.01",
    state: "owned",
    attack: async (scene) => sendChain(scene, [leafOf(scene.vendor, { spec: { notAfter: Date.UTC(2026, 0, 2) } })]),
    control: async (scene) => sendChain(scene, [leafOf(scene.vendor)]),
  },
  {
    id: "CE-25",
    title: "use it where the day is known",
    expected: "expired",
    honest: "trusted",
    state: "owned",
    attack: async ({ vendor }) => onADay(vendor, END + 1),
    control: async ({ vendor }) => onADay(vendor, END),
  },
  chained(
    "CE-26",
    "use a certificate for encryption that the vendor made for something else than a TPM",
    "extended-key-usage",
    (vendor) => [leafOf(vendor, { without: [Oid.extendedKeyUsage] })],
    (vendor) => [leafOf(vendor, { without: [Oid.extendedKeyUsage], extensions: [tpmName()] })],
  ),
];

/** The path's verdict with a calendar. */
async function onADay({ certificate, key }: Issuer, today: number): Promise<string> {
  const leaf = leafOf({ certificate, key }).certificate;
  const verdict = validateChain({ leaf, intermediates: [], roots: [certificate], purpose: "ek", today });
  return verdict.ok ? "trusted" : verdict.reason;
}

const even = (n: Uint8Array): Uint8Array => n.map((byte, i) => (i === n.byteLength - 1 ? byte & 0xfe : byte));
