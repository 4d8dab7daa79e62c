import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { createDomain } from "../../../token/domain/domain.ts";
import { COMPAT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

const attester = new FakeAttester();
const owner = new FakeOwner();

/** A token whose flash holds roots of an earlier version that this one does not take for certificates. */
function scene() {
  const store = memoryStore();
  const rubbish = utf8("no certificate");
  store.commit(new Map([["root/owner", rubbish], ["root/ek/00", rubbish], ["secret", rubbish]])); // biome-ignore format: one list
  const domain = createDomain({ store, random: seededRandom(1), profile: COMPAT, policy: DEFAULT_POLICY });
  return { store, domain };
}

describe("roots in the storage that do not parse", () => {
  it("are trusted by nobody, and nothing throws", () => {
    const { domain } = scene();
    const chain = domain.judgeOwner(owner.chainBody());
    assert.ok(!chain.ok && chain.reason === "no-owner-root");
    const ek = domain.judgeEndorsement([attester.ekCertificate.der]);
    assert.ok(!ek.ok && ek.reason === "no-ek-root");
  });

  it("do not stand in the way of a wipe, after which they are gone", () => {
    const { store, domain } = scene();
    domain.wipe();
    assert.deepEqual(store.keys(""), []);
  });

  it("give way to roots that are given anew", () => {
    const { domain } = scene();
    assert.equal(domain.roots.add(owner.root.certificate, [attester.vendor.certificate]), "done");
    assert.ok(domain.judgeOwner(owner.chainBody()).ok);
    assert.ok(domain.judgeEndorsement([attester.ekCertificate.der]).ok);
  });
});
