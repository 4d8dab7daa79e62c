import { utf8 } from "../../../shared/bytes/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { generateEcKey, type PrivateKey } from "../../../shared/crypto/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import { type Issuer, Oid } from "../../../shared/x509/index.ts";
import { seededRandom } from "../../support/random.ts";
import { ca, constraints, ek, named, p256, rsa, usage, type Wish } from "../../support/x509.ts";
import { expect, idOf } from "../answer.ts";
import { asBytes } from "../client.ts";
import { aikBody, certs, sendAik, sendEk } from "../flows.ts";
import { flipped } from "../platform.ts";
import { COMPAT_ONLY, type Row, STRICT_ONLY } from "../row.ts";
import type { Scene } from "../scene.ts";
import { Unmet } from "../unmet.ts";

const SOURCE = "docs/api.md, Certificates; TCG EK Credential Profile, 3.2";

/** An EK certificate of the suite's vendor with something special about it. */
function ekOf(issuer: Issuer, wish: Partial<Wish> = {}): Uint8Array {
  return ek({ name: "conformance EK", key: p256("conformance-ek"), issuer, ...wish }).certificate.der;
}

/** A chain of EK certificates below the suite's vendor, made for the row. */
function judged(code: "2.01" | "4.03", id: string, title: string, chain: (scene: Scene) => readonly Uint8Array[]): Row {
  return {
    id,
    title,
    source: SOURCE,
    state: "owned",
    needs: ["software-tpm"],
    async run(scene) {
      const answer = await scene.me.post(V1.EK, certs(chain(scene)));
      if (code === "2.01") idOf(answer);
      else expect(answer, code);
    },
  };
}

const taken = judged.bind(undefined, "2.01");
const refused = judged.bind(undefined, "4.03");

/** So many certificates below the vendor's root, the EK's last. */
function chainOf(vendor: Issuer, count: number): readonly Uint8Array[] {
  let issuer = vendor;
  const chain: Uint8Array[] = [];
  for (let i = 1; i < count; i++) {
    issuer = ca({ name: `vendor CA ${i}`, key: p256(`vendor CA ${i}`), issuer });
    chain.push(issuer.certificate.der);
  }
  return [...chain, ekOf(issuer)];
}

const mute = ({ vendor }: Scene) => [ekOf(vendor, { without: [Oid.extendedKeyUsage] })];
const p384: PrivateKey = generateEcKey(seededRandom(2, "conformance-p384"), "P-384");

export const ekRows: readonly Row[] = [
  {
    id: "EK-01",
    title: "a certified EK gets an id of 32 bits",
    source: "docs/api.md, Resources",
    state: "owned",
    async run({ me, machine, by }) {
      const answer = await me.post(V1.EK, certs(machine.ekChain));
      idOf(expect(answer, { code: "2.01", bytes: 0, format: by(ContentFormat.OctetStream, "none") }));
    },
  },
  taken("EK-02", "an RSA-2048 EK is taken", ({ vendor }) => [ekOf(vendor, { key: rsa("conformance-ek") })]),
  taken("EK-03", "a P-256 EK is taken", ({ vendor }) => [ekOf(vendor)]),
  taken("EK-04", "an intermediate CA between EK and root is taken", ({ vendor }) => chainOf(vendor, 2)),
  refused("EK-05", "an EK of a vendor nobody trusts is refused", () => {
    const stranger = ca({ name: "stranger", key: p256("stranger") });
    return [ekOf(stranger)];
  }),
  {
    ...refused("EK-06", "an EK that the owner vouches for is refused", ({ keys }) => [ekOf(keys.owner.issuing)]),
    source: "docs/api.md, Certificates",
  },
  refused("EK-07", "an EK certificate with one wrong bit is refused", ({ vendor }) => [flipped(ekOf(vendor))]),
  refused("EK-08", "an EK certificate that is a CA is refused", ({ vendor }) => [
    ekOf(vendor, { extensions: [constraints(true)] }),
  ]),
  refused("EK-09", "an RSA EK without keyEncipherment is refused", ({ vendor }) => [
    ekOf(vendor, { key: rsa("conformance-ek"), extensions: [usage("digitalSignature")] }),
  ]),
  refused("EK-10", "a P-256 EK without keyAgreement is refused", ({ vendor }) => [
    ekOf(vendor, { extensions: [usage("keyEncipherment")], without: [Oid.extendedKeyUsage] }),
  ]),
  refused("EK-11", "an EK certificate without keyUsage is refused", ({ vendor }) => [
    ekOf(vendor, { without: [Oid.keyUsage] }),
  ]),
  refused("EK-12", "an EK certificate with an unknown critical extension is refused", ({ vendor }) => {
    const unknown = { oid: "1.3.6.1.4.1.57264.1.99", critical: true, value: Uint8Array.of(5, 0) };
    return [ekOf(vendor, { extensions: [unknown] })];
  }),
  refused("EK-13", "an EK of a kind that no credential is made for is refused", ({ vendor }) => [
    ekOf(vendor, { key: p384 }),
  ]),
  refused("EK-14", "a missing intermediate CA is refused", ({ vendor }) => chainOf(vendor, 2).slice(1)),
  refused("EK-15", "an issuer name that is not the vendor's is refused", ({ vendor }) => [
    ekOf(vendor, { spec: { issuer: named("somebody else") } }),
  ]),
  refused("EK-16", "the EK certificate stands last: a chain in the other order is refused", ({ vendor }) =>
    chainOf(vendor, 2).toReversed(),
  ),
  {
    ...taken("EK-17", "a root that is sent as well does no harm", ({ vendor }) => [
      vendor.certificate.der,
      ekOf(vendor),
    ]),
    source: SOURCE,
  },
  {
    ...refused("EK-18", "a chain of five certificates is refused", ({ vendor }) => chainOf(vendor, 5)),
    profiles: STRICT_ONLY,
    source: `${SOURCE}; D-43`,
  },
  {
    ...refused("EK-19", "a chain of three certificates is refused", ({ vendor }) => [
      ekOf(vendor),
      ...chainOf(vendor, 2),
    ]),
    profiles: COMPAT_ONLY,
    source: `${SOURCE}; D-43`,
  },
  {
    id: "EK-20",
    title: "bytes that are no certificate are refused",
    source: SOURCE,
    state: "owned",
    async run({ me }) {
      expect(await me.post(V1.EK, certs([utf8("no certificate")])), "4.03");
    },
  },
  {
    id: "EK-21",
    title: "a token without an owner knows no EKs, whatever is sent",
    source: "docs/api.md, Resources",
    state: "blank",
    async run({ me, machine }) {
      expect(await me.post(V1.EK, certs(machine.ekChain)), "4.04");
      expect(await me.post(V1.EK, asBytes(utf8("anything"))), "4.04");
    },
  },
  {
    id: "EK-22",
    title: "the same EK sent twice has two ids",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run({ me, machine }) {
      const [one, other] = [await sendEk(me, machine), await sendEk(me, machine)];
      if (one === other) throw new Unmet(`the id ${one} twice`);
    },
  },
  {
    id: "EK-23",
    title: "of nine EKs in a session the oldest gives way",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run({ me, machine }) {
      const ids: number[] = [];
      for (let i = 0; i < 9; i++) ids.push(await sendEk(me, machine));
      const { aikPublic: aik } = machine;
      const [first = 0, second = 0] = ids;
      expect(await me.post(V1.AIK, aikBody(aik, first)), "4.04");
      await sendAik(me, machine, second);
    },
  },
  {
    ...refused("EK-24", "an EK certificate that does not say that it is for a TPM is refused", mute),
    profiles: STRICT_ONLY,
    source: `${SOURCE}; D-73`,
  },
  {
    ...taken("EK-25", "an EK certificate need not say that it is for a TPM", mute),
    profiles: COMPAT_ONLY,
    source: "docs/deviations.md, D-73",
  },
];
