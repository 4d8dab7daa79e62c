import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { generateEcKey } from "../../../shared/crypto/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import {
  buildCertificate,
  type Certificate,
  type Extension,
  nameOf,
  Oid,
  parseCertificate,
  parseCsr,
} from "../../../shared/x509/index.ts";
import { createDomain } from "../../../token/domain/domain.ts";
import { COMPAT } from "../../../token/domain/profile.ts";
import { openStore } from "../../../token/storage/index.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { seededRandom } from "../../support/random.ts";

const random = seededRandom(1);
const owner = new FakeOwner();
const filler = (size: number): Extension => ({ oid: "1.2.3.4", critical: false, value: new Uint8Array(size) });

function domainWith(root: Certificate | undefined) {
  const store = openStore(createRamFlash());
  const domain = createDomain({ store, random, profile: COMPAT, policy: DEFAULT_POLICY });
  domain.roots.add(root, []);
  return domain;
}

/** What the owner issues for this CSR, blown up. */
function issueLarge(csr: Uint8Array, size: number): Uint8Array {
  const { subject, publicKey } = parseCsr(csr);
  const { extensions } = parseCertificate(owner.issue(csr).der);
  const issuer = owner.issuing.certificate.subject;
  const spec = { issuer, subject, publicKey, notBefore: 0, notAfter: undefined };
  return buildCertificate({ ...spec, extensions: [...extensions.list, filler(size)] }, owner.issuing.key, random);
}

describe("token provisioning: certificates of unusual size", () => {
  for (const size of [4096, 17_000]) {
    it(`a certificate for the token that holds ${size} bytes too many is malformed`, () => {
      const domain = domainWith(owner.root.certificate);
      const [chain, csr] = [domain.judgeOwner(owner.chainBody()), domain.requestCertificate()];
      assert.ok(chain.ok && csr.ok);
      const outcome = domain.acceptCertificate(issueLarge(csr.value, size), chain.value);
      assert.ok(!outcome.ok && outcome.reason === "owner-answer-malformed", JSON.stringify(outcome));
      assert.ok(!domain.provisioned);
    });
  }

  it("a root that no message and no storage could hold is refused where it is configured", () => {
    const key = generateEcKey(random, "P-256");
    const subject = nameOf([[Oid.commonName, "large root"]]);
    const spec = { issuer: subject, subject, publicKey: key, notBefore: 0, notAfter: undefined };
    const root = parseCertificate(buildCertificate({ ...spec, extensions: [filler(4096)] }, key, random));
    assert.throws(() => domainWith(root), RangeError);
  });
});
