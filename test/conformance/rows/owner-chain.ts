import { utf8 } from "../../../shared/bytes/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import {
  type Certificate,
  CertificatePoliciesDer,
  extension,
  Oid,
  parseCertificate,
} from "../../../shared/x509/index.ts";
import { constraints, ed25519, named, type Party, rsa, usage } from "../../support/x509.ts";
import { expect } from "../answer.ts";
import { certs } from "../flows.ts";
import { caBelow, ders, offerChain, requestCsr, rootOf } from "../owner.ts";
import { flipped } from "../platform.ts";
import type { Row } from "../row.ts";

const SOURCE = "docs/api.md, Certificates; RFC 5280, 6.1";
const NULL_DER = Uint8Array.of(0x05, 0x00);

/** Chains below the owner's root, made for the row. */
function judged(
  code: "2.01" | "4.03",
  id: string,
  title: string,
  chain: (root: Party) => readonly Certificate[],
  source = SOURCE,
): Row {
  return {
    id,
    title,
    source,
    state: "blank",
    needs: ["owner-root"],
    async run({ me, keys }) {
      expect(await offerChain(me, chain(rootOf(keys))), code);
    },
  };
}

const taken = judged.bind(undefined, "2.01");
const refused = judged.bind(undefined, "4.03");

/** Root, one CA with something special about it, and an issuing CA. */
function withCa(root: Party, ca: Party): readonly Certificate[] {
  return [root.certificate, ca.certificate, caBelow(ca, "issuing").certificate];
}

const EXPIRED = { notBefore: Date.UTC(2022, 5, 1), notAfter: Date.UTC(2023, 5, 1) };

export const ownerChainRows: readonly Row[] = [
  taken("OC-01", "one CA below the root is enough", (root) => [root.certificate, caBelow(root, "only").certificate]),
  taken("OC-02", "certificates that ended in 2023 are taken: a stick has no calendar", (root) =>
    withCa(root, caBelow(root, "expired", { spec: EXPIRED })),
  ),
  taken("OC-03", "RSA chains of the published recipe are taken", (root) =>
    withCa(root, caBelow(root, "rsa", { key: rsa("conformance-ca") })),
  ),
  taken("OC-04", "Ed25519 CAs are taken", (root) =>
    withCa(root, caBelow(root, "ed", { key: ed25519("conformance-ca") })),
  ),
  taken("OC-05", "critical certificate policies are taken", (root) => {
    const policies = extension(Oid.certificatePolicies, true, CertificatePoliciesDer, ["2.5.29.32.0"]);
    return withCa(root, caBelow(root, "policies", { extensions: [policies] }));
  }),
  refused("OC-06", "the root alone is refused: there is no CA to issue", (root) => [root.certificate]),
  refused("OC-07", "three CAs are refused", (root) => {
    const first = caBelow(root, "first");
    const second = caBelow(first, "second");
    return [root, first, second, caBelow(second, "third")].map(({ certificate }) => certificate);
  }),
  refused("OC-08", "a chain that does not end in the owner's root is refused", (root) => {
    const other = caBelow({ certificate: root.certificate, key: root.key }, "other");
    return [caBelow(other, "stranger").certificate];
  }),
  refused("OC-09", "a certificate that is no part of the chain is refused", (root) => [
    root.certificate,
    caBelow(root, "issuing").certificate,
    caBelow(caBelow(root, "elsewhere"), "stranger").certificate,
  ]),
  refused("OC-10", "an issuer that is no CA is refused", (root) =>
    withCa(root, caBelow(root, "leaf", { extensions: [constraints(false)] })),
  ),
  refused("OC-11", "an issuer without basicConstraints is refused", (root) =>
    withCa(root, caBelow(root, "plain", { without: [Oid.basicConstraints] })),
  ),
  refused("OC-12", "a path longer than its pathLenConstraint is refused", (root) =>
    withCa(root, caBelow(root, "short", { extensions: [constraints(true, 0)] })),
  ),
  refused("OC-13", "an issuer without keyCertSign is refused", (root) =>
    withCa(root, caBelow(root, "no-sign", { extensions: [usage("digitalSignature")] })),
  ),
  refused("OC-14", "an unknown critical extension is refused", (root) => {
    const unknown = { oid: "1.3.6.1.4.1.57264.1.99", critical: true, value: NULL_DER };
    return withCa(root, caBelow(root, "odd", { extensions: [unknown] }));
  }),
  refused("OC-15", "a signature of another key is refused", (root) => {
    const stranger = { certificate: root.certificate, key: ed25519("stranger") };
    return withCa(root, caBelow(stranger, "unsigned"));
  }),
  refused("OC-16", "one bit that differs in a certificate is refused", (root) => {
    const good = caBelow(root, "bit").certificate;
    const [bad] = [good.der].map((der) => parseCertificate(flipped(der)));
    return [root.certificate, ...(bad === undefined ? [] : [bad])];
  }),
  refused(
    "OC-17",
    "an issuer whose subject is not the name in the certificate is refused",
    (root) => withCa(root, caBelow(root, "named", { spec: { issuer: named("somebody else") } })),
    "docs/api.md, Certificates; RFC 5280, 6.1.3 (a) (4)",
  ),
  {
    id: "OC-18",
    title: "bytes that are no certificate are refused",
    source: SOURCE,
    state: "blank",
    async run({ me, keys }) {
      const chain = [...ders(keys.owner.chain), utf8("no certificate")];
      expect(await me.post(V1.TOKEN_PROVISION, certs(chain)), "4.03");
    },
  },
  {
    id: "OC-19",
    title: "a refused chain can be followed by the right one",
    source: SOURCE,
    state: "blank",
    async run({ me, keys }) {
      expect(await offerChain(me, keys.owner.chain.slice(0, 1)), "4.03");
      await requestCsr(me, keys.owner.chain);
    },
  },
];
