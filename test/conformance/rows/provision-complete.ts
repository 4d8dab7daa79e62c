import { utf8 } from "../../../shared/bytes/index.ts";
import { ContentFormat } from "../../../shared/coap/index.ts";
import { V1 } from "../../../shared/protocol/index.ts";
import {
  buildCertificate,
  type Certificate,
  type CertificateSpec,
  type Csr,
  type Extension,
  keyIdentifier,
  parseCertificate,
} from "../../../shared/x509/index.ts";
import { akid, constraints, ed25519, usage } from "../../support/x509.ts";
import { expect } from "../answer.ts";
import { asBytes, asCbor, bare } from "../client.ts";
import { certs, sendEk } from "../flows.ts";
import { caBelow, complete, issue, provisionToken, requestCsr, rootOf } from "../owner.ts";
import { flipped } from "../platform.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

const SOURCE = "docs/api.md, Certificates";

/** A token certificate of the suite's owner with something special about it. */
function special(
  { keys, random }: Scene,
  csr: Csr,
  extensions: readonly Extension[],
  spec: Partial<CertificateSpec> = {},
): Certificate {
  const { certificate, key } = keys.owner.issuing;
  const life = { notBefore: Date.UTC(2026, 0, 1), notAfter: undefined };
  const whole = { issuer: certificate.subject, subject: csr.subject, publicKey: csr.publicKey, ...life, ...spec };
  const own = certificate.extensions.subjectKeyIdentifier ?? keyIdentifier(certificate.publicKey);
  return parseCertificate(buildCertificate({ ...whole, extensions: [akid(own), ...extensions] }, key, random));
}

/** The owner's certificate for the token's request, changed; refused, and the token stays without an owner. */
function refused(
  id: string,
  title: string,
  change: (scene: Scene, csr: Csr) => Certificate,
  needs: Row["needs"] = [],
): Row {
  return {
    id,
    title,
    source: SOURCE,
    state: "blank",
    needs,
    async run(scene) {
      const csr = await requestCsr(scene.me, scene.keys.owner.chain);
      expect(await complete(scene.me, change(scene, csr)), "4.03");
      expect(await scene.me.post(V1.EK, certs(scene.machine.ekChain)), "4.04");
    },
  };
}

/** Taken, and the token has its owner. */
function taken(id: string, title: string, change: (scene: Scene, csr: Csr) => Certificate, source = SOURCE): Row {
  return {
    id,
    title,
    source,
    state: "blank",
    provisions: true,
    async run(scene) {
      const csr = await requestCsr(scene.me, scene.keys.owner.chain);
      const wanted = { code: "2.01", bytes: 0, format: scene.by(ContentFormat.OctetStream, "none") } as const;
      expect(await complete(scene.me, change(scene, csr)), wanted);
      await sendEk(scene.me, scene.machine);
    },
  };
}

const certified = (scene: Scene, csr: Csr) => issue(scene, csr, scene.keys.owner.issuing);

export const provisionCompleteRows: readonly Row[] = [
  taken("PC-01", "the owner's certificate gives the token its owner", certified),
  taken(
    "PC-02",
    "an issuer name that does not match is taken when the key identifier does, as the C owner program writes it",
    (scene, csr) => {
      const usual = [constraints(false), usage("digitalSignature")];
      return special(scene, csr, usual, { issuer: scene.keys.owner.root.subject });
    },
    `${SOURCE}; D-09`,
  ),
  taken("PC-03", "a certificate without keyUsage is taken, as the published test leaf", (scene, csr) =>
    special(scene, csr, [constraints(false)]),
  ),
  refused("PC-04", "a certificate for another key is refused", (scene, csr) =>
    issue(scene, csr, scene.keys.owner.issuing, ed25519("not the token's")),
  ),
  refused(
    "PC-05",
    "a certificate of a CA that is not in the chain is refused",
    (scene, csr) => issue(scene, csr, caBelow(rootOf(scene.keys), "elsewhere")),
    ["owner-root"],
  ),
  refused("PC-06", "a certificate with one wrong bit is refused", (scene, csr) =>
    parseCertificate(flipped(certified(scene, csr).der)),
  ),
  refused("PC-07", "a certificate that makes the token a CA is refused", (scene, csr) =>
    special(scene, csr, [constraints(true), usage("digitalSignature", "keyCertSign")]),
  ),
  refused("PC-08", "a certificate whose keyUsage has no digitalSignature is refused", (scene, csr) =>
    special(scene, csr, [constraints(false), usage("keyAgreement")]),
  ),
  {
    id: "PC-09",
    title: "bytes that are no certificate are refused",
    source: SOURCE,
    state: "blank",
    async run({ me, keys }) {
      await requestCsr(me, keys.owner.chain);
      for (const bytes of ["no certificate", ""])
        expect(await me.post(V1.PROVISION_COMPLETE, asBytes(utf8(bytes))), "4.03");
    },
  },
  {
    id: "PC-10",
    title: "a certificate without a chain before it is refused",
    source: "docs/api.md, Resources",
    state: "blank",
    async run(scene) {
      const csr = await requestCsr(scene.me, scene.keys.owner.chain);
      expect(await complete(await scene.peer(), certified(scene, csr)), "4.03");
    },
  },
  {
    id: "PC-11",
    title: "CBOR is the wrong format for a certificate, and the right one can follow",
    source: "docs/api.md, Every request",
    state: "blank",
    provisions: true,
    async run(scene) {
      const { der } = certified(scene, await requestCsr(scene.me, scene.keys.owner.chain));
      expect(await scene.me.post(V1.PROVISION_COMPLETE, asCbor(der)), "4.00");
      expect(await scene.me.post(V1.PROVISION_COMPLETE, asBytes(der)), "2.01");
    },
  },
  {
    id: "PC-12",
    title: "no Content-Format means octet-stream",
    source: "docs/api.md, Every request",
    state: "blank",
    provisions: true,
    async run(scene) {
      const csr = await requestCsr(scene.me, scene.keys.owner.chain);
      expect(await scene.me.post(V1.PROVISION_COMPLETE, bare(certified(scene, csr).der)), "2.01");
    },
  },
  {
    id: "PC-13",
    title: "a refused certificate can be followed by the right one",
    source: SOURCE,
    state: "blank",
    provisions: true,
    async run(scene) {
      const csr = await requestCsr(scene.me, scene.keys.owner.chain);
      expect(await complete(scene.me, issue(scene, csr, scene.keys.owner.issuing, ed25519("not the token's"))), "4.03");
      expect(await complete(scene.me, certified(scene, csr)), "2.01");
    },
  },
  {
    id: "PC-14",
    title: "a token with an owner takes no second certificate",
    source: "docs/api.md, Resources; D-44",
    state: "blank",
    provisions: true,
    async run(scene) {
      const certificate = certified(scene, await requestCsr(scene.me, scene.keys.owner.chain));
      expect(await complete(scene.me, certificate), "2.01");
      expect(await complete(scene.me, certificate), scene.by("4.03", "4.04"));
    },
  },
  {
    id: "PC-15",
    title: "the owner outlives the power",
    source: "docs/storage-format.md",
    state: "blank",
    needs: ["power"],
    provisions: true,
    async run(scene) {
      await provisionToken(scene);
      await scene.restart();
      await sendEk(await scene.peer(), scene.machine);
    },
  },
];
