import assert from "node:assert/strict";
import { generateEcKey } from "../../../shared/crypto/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { type Certificate, deviceIdOf, parseCsr } from "../../../shared/x509/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import { COMPAT } from "../../../token/domain/profile.ts";
import type { Outcome } from "../../../token/domain/reasons.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

const reasonOf = (outcome: Outcome<unknown, string>): string => (outcome.ok ? "accepted" : outcome.reason);
const accepted = <T>(outcome: Outcome<T, string>): T => (outcome.ok ? outcome.value : assert.fail(outcome.reason));
const owner = new FakeOwner();

function domainWith(root: Certificate | undefined, store = memoryStore(), seed = 1): Domain {
  const domain = createDomain({ store, random: seededRandom(seed), profile: COMPAT, policy: DEFAULT_POLICY });
  domain.roots.add(root, []);
  return domain;
}

describe("token provisioning: the owner's chain", () => {
  const judge = (body: Uint8Array, root: Certificate | undefined = owner.root.certificate) =>
    reasonOf(domainWith(root).judgeOwner(body));

  it("is accepted with the root first, last or absent", () => {
    const { certificate: root } = owner.root;
    const { certificate: issuing } = owner.issuing;
    for (const certs of [[root, issuing], [issuing, root], [issuing]]) {
      assert.equal(judge(owner.chainBody(certs)), "accepted");
    }
  });

  it("is refused below another root, without an issuing CA, with a stranger in it, or as rubbish", () => {
    const other = new FakeOwner("other");
    assert.equal(judge(owner.chainBody(), other.root.certificate), "owner-chain");
    assert.equal(judge(owner.chainBody([owner.root.certificate])), "owner-chain");
    assert.equal(judge(owner.chainBody([...owner.chain, other.issuing.certificate])), "owner-chain");
    assert.equal(judge(new Uint8Array()), "owner-answer-malformed");
    assert.equal(judge(owner.chainBody().subarray(1)), "owner-answer-malformed");
  });

  it("is refused when no owner root is configured", () => {
    assert.equal(reasonOf(domainWith(undefined).judgeOwner(owner.chainBody())), "no-owner-root");
  });
});

describe("token provisioning: request and certificate", () => {
  it("asks for a certificate as the reference does, with the same identity until wiped", () => {
    const store = memoryStore();
    const domain = domainWith(owner.root.certificate, store);
    const csr = parseCsr(accepted(domain.requestCertificate()));
    assert.match(deviceIdOf(csr.subject) ?? "", /^[1-9A-F][0-9A-F]{0,15}$/);
    assert.equal(csr.publicKey.type, "ed25519");
    assert.equal(csr.attributeCount, 0);
    const again = domainWith(owner.root.certificate, store, 99);
    assert.deepEqual(parseCsr(accepted(again.requestCertificate())).publicKey, csr.publicKey);
    again.wipe();
    assert.notDeepEqual(parseCsr(accepted(again.requestCertificate())).publicKey, csr.publicKey);
    assert.deepEqual(again.roots.owner()?.der, owner.root.certificate.der, "roots outlive a wipe");
  });

  it("is provisioned by a certificate for its own key below that chain, over a restart", () => {
    const store = memoryStore();
    const domain = domainWith(owner.root.certificate, store);
    assert.equal(domain.provisioned, false);
    const chain = accepted(domain.judgeOwner(owner.chainBody()));
    const csr = accepted(domain.requestCertificate());
    const deviceId = accepted(domain.acceptCertificate(owner.issue(csr).der, chain));
    assert.equal(deviceId, deviceIdOf(parseCsr(csr).subject));
    assert.equal(domainWith(undefined, store).provisioned, true);
  });

  it("refuses a certificate for another key, of another issuer, a CA, rubbish, and stays as it was", () => {
    const domain = domainWith(owner.root.certificate);
    const chain = accepted(domain.judgeOwner(owner.chainBody()));
    const csr = accepted(domain.requestCertificate());
    const judge = (der: Uint8Array) => reasonOf(domain.acceptCertificate(der, chain));
    const stranger = new FakeOwner();
    stranger.foreignKey = generateEcKey(seededRandom(4), "P-256");
    assert.equal(judge(stranger.issue(csr).der), "foreign-key");
    stranger.foreignKey = parseCsr(
      accepted(domainWith(owner.root.certificate, memoryStore(), 2).requestCertificate()),
    ).publicKey;
    assert.equal(judge(stranger.issue(csr).der), "foreign-key");
    assert.equal(judge(new FakeOwner("other").issue(csr).der), "token-certificate");
    assert.equal(judge(owner.issuing.certificate.der), "foreign-key");
    assert.equal(
      judge(owner.issue(csr, owner.root).der),
      "token-certificate",
      "the first CA's key administers the token",
    );
    assert.equal(judge(csr), "owner-answer-malformed");
    assert.equal(judge(new Uint8Array()), "owner-answer-malformed");
    assert.equal(domain.provisioned, false);
    assert.equal(judge(owner.issue(csr).der), "accepted");
  });

  it("says storage-full when there is no room for an identity or for the certificate", () => {
    assert.equal(reasonOf(domainWith(undefined, memoryStore(40)).requestCertificate()), "storage-full");
    const domain = domainWith(owner.root.certificate, memoryStore(1000));
    const chain = accepted(domain.judgeOwner(owner.chainBody()));
    const csr = accepted(domain.requestCertificate());
    assert.equal(reasonOf(domain.acceptCertificate(owner.issue(csr).der, chain)), "storage-full");
    assert.equal(domain.provisioned, false);
  });
});
