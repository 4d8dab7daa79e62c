import assert from "node:assert/strict";
import { encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapHandler, type CoapReply, Code, ContentFormat } from "../../shared/coap/index.ts";
import { generateEcKey, type PublicKey } from "../../shared/crypto/index.ts";
import { CertChain } from "../../shared/protocol/index.ts";
import {
  buildIntermediate,
  buildRoot,
  buildTokenCertificate,
  type Certificate,
  type Issuer,
  nameOf,
  Oid,
  parseCsr,
  verifyCsr,
} from "../../shared/x509/index.ts";
import { seededRandom } from "./random.ts";

/** A Platform Owner as the token meets it in API v0: root, one issuing CA, certificates for whoever asks with a good CSR. */
export class FakeOwner {
  readonly root: Issuer;
  readonly issuing: Issuer;
  /** What was asked, as "POST /csr". */
  readonly asked: string[] = [];
  /** For whose key certificates are made; that of the CSR unless set. */
  foreignKey: PublicKey | undefined;
  tamper: (path: string, reply: CoapReply) => CoapReply = (_path, reply) => reply;

  constructor(name = "owner") {
    const random = seededRandom(1, name);
    const life = { notBefore: 0, notAfter: undefined };
    const subject = (what: string) => nameOf([[Oid.organizationName, name], [Oid.commonName, `${name} ${what}`]]); // biome-ignore format: one name
    const [rootKey, issuingKey] = [generateEcKey(random, "P-256"), generateEcKey(random, "P-256")];
    this.root = buildRoot({ subject: subject("root"), key: rootKey, pathLength: 2, ...life }, random);
    const ca = { subject: subject("issuing"), publicKey: issuingKey, pathLength: 0, ...life };
    this.issuing = { certificate: buildIntermediate(ca, this.root, random), key: issuingKey };
  }

  get chain(): readonly Certificate[] {
    return [this.root.certificate, this.issuing.certificate];
  }

  chainBody(certificates: readonly Certificate[] = this.chain): Uint8Array {
    return encodeCbor(CertChain, { certs: certificates.map(({ der }) => der) });
  }

  issue(csr: Uint8Array, issuer: Issuer = this.issuing): Certificate {
    const request = parseCsr(csr);
    assert.ok(verifyCsr(request), "the CSR is not signed by its key");
    const life = { notBefore: 0, notAfter: undefined };
    const publicKey = this.foreignKey ?? request.publicKey;
    return buildTokenCertificate({ subject: request.subject, publicKey, ...life }, issuer, seededRandom(3));
  }

  readonly handler: CoapHandler = ({ method, path: segments, payload, contentFormat }) => {
    const path = `/${segments.join("/")}`;
    this.asked.push(`${method} ${path}`);
    if (`${method} ${path}` === "FETCH /cert_chain") {
      const reply = { code: Code.Content, contentFormat: ContentFormat.Cbor, payload: this.chainBody() };
      return this.tamper(path, reply);
    }
    assert.equal(`${method} ${path}`, "POST /csr");
    assert.equal(contentFormat, undefined, "the reference sends no Content-Format");
    const reply = { code: Code.Created, contentFormat: ContentFormat.OctetStream, payload: this.issue(payload).der };
    return this.tamper(path, reply);
  };
}
