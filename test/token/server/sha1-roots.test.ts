import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { concat, encode, equal } from "../../../shared/bytes/index.ts";
import { encodeCbor } from "../../../shared/cbor/index.ts";
import { digest, type PrivateKey, rsaPkcs1Sign } from "../../../shared/crypto/index.ts";
import { CertChain, V1 } from "../../../shared/protocol/index.ts";
import { anyElement, Tag } from "../../../shared/x509/der.ts";
import { bitString } from "../../../shared/x509/der-types.ts";
import {
  AlgorithmIdentifierDer,
  type Certificate,
  identifierOf,
  parseCertificate,
  parseCsr,
} from "../../../shared/x509/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { posting, type V1Client, V1Scene } from "../../support/v1-scene.ts";
import { ca, ek, type Party, p256, rsa, tokenCertificate } from "../../support/x509.ts";

/** Defect 8 of the reference for what many old vendor roots are: signed by themselves with SHA-1. Such a signature counts for nothing, the root's bytes do. */

const SHA256_WITH_RSA = identifierOf("rsa-pkcs1-sha256");
const SHA1_WITH_RSA = { ...SHA256_WITH_RSA, algorithm: "1.2.840.113549.1.1.5" };

/** What RSA with SHA-256 signed, signed anew with SHA-1, which nothing of ours does. */
function withSha1({ certificate, key }: Party, signer: PrivateKey = key): Party {
  assert.ok(signer.type === "rsa");
  const [old, now] = [SHA256_WITH_RSA, SHA1_WITH_RSA].map((id) => encode(AlgorithmIdentifierDer, id));
  assert.ok(old && now && old.byteLength === now.byteLength);
  const { tbs } = certificate;
  const at = tbs.findIndex((_, i) => equal(tbs.subarray(i, i + old.byteLength), old));
  const changed = concat(tbs.subarray(0, at), now, tbs.subarray(at + old.byteLength));
  const signature = rsaPkcs1Sign(signer, "sha1", digest("sha1", changed));
  const contents = concat(changed, now, encode(bitString, signature));
  const der = encode(anyElement, { tag: Tag.Sequence, contents });
  return { certificate: parseCertificate(der), key };
}

const root = withSha1(ca({ name: "old root", key: rsa("old root") }));
const issuing = ca({ name: "issuing", key: p256("issuing"), issuer: root });
/** Its issuer signed it with SHA-1: this signature is asked for, and worth nothing. */
const weak = withSha1(ca({ name: "weak", key: rsa("weak"), issuer: root }), root.key);

const chain = (...parties: readonly Party[]) =>
  encodeCbor(CertChain, { certs: parties.map(({ certificate }) => certificate.der) });

function tokenOwnedBy(owner: Certificate, profile: typeof STRICT): V1Client {
  const scene = new V1Scene({ profile, provisioned: false });
  assert.equal(scene.domain.roots.add(owner, []), "done");
  return scene.client();
}

describe("defect 8: roots that are signed with SHA-1", () => {
  it("are well signed for those who still take SHA-1, as OpenSSL does", () => {
    for (const { certificate } of [root, weak]) {
      const known = new X509Certificate(certificate.der);
      assert.ok(known.verify(new X509Certificate(root.certificate.der).publicKey));
      assert.equal(certificate.signatureScheme, undefined);
    }
  });

  for (const profile of [STRICT, COMPAT]) {
    it(`${profile.name}: an owner's, sent with its chain, anchors it: the token is provisioned`, () => {
      const client = tokenOwnedBy(root.certificate, profile);
      const answer = client.post(V1.TOKEN_PROVISION, chain(root, issuing));
      const { publicKey } = parseCsr(answer.payload);
      const { certificate } = tokenCertificate({
        name: "token",
        key: issuing.key,
        issuer: issuing,
        spec: { publicKey },
      });
      assert.equal(client.said(posting(V1.PROVISION_COMPLETE, certificate.der, { contentFormat: 42 })), "2.01");
    });

    it(`${profile.name}: a TPM vendor's anchors EK certificates`, () => {
      const scene = new V1Scene({ profile });
      scene.domain.roots.add(undefined, [root.certificate]);
      const mine = ek({ name: "", key: p256("ek"), issuer: issuing });
      assert.equal(scene.client().code(posting(V1.EK, chain(issuing, mine))), "2.01");
      assert.equal(
        scene.client(2).code(posting(V1.EK, chain(ek({ name: "", key: p256("ek"), issuer: root })))),
        "2.01",
      );
    });

    it(`${profile.name}: a CA below it that is signed with SHA-1 is refused, and so are look-alikes of the root`, () => {
      const scene = new V1Scene({ profile });
      scene.domain.roots.add(undefined, [root.certificate]);
      const mine = ek({ name: "", key: p256("ek"), issuer: weak });
      assert.match(scene.client().said(posting(V1.EK, chain(weak, mine))), /^4\.03 .*unknown signature algorithm/);
      const other = withSha1(ca({ name: "old root", key: rsa("other root") }));
      const theirs = ek({ name: "", key: p256("ek"), issuer: other });
      assert.match(scene.client(2).said(posting(V1.EK, chain(theirs))), /^4\.03/);
      assert.match(scene.client(3).said(posting(V1.EK, chain(other, theirs))), /^4\.03/);
      const below = ca({ name: "issuing", key: p256("issuing"), issuer: weak });
      const owner = tokenOwnedBy(root.certificate, profile);
      assert.match(owner.said(posting(V1.TOKEN_PROVISION, chain(root, weak, below))), /^4\.03/);
    });
  }
});
