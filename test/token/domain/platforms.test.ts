import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { DEFAULT_POLICY, Limit } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../../shared/tpm/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import type { TokenEvent } from "../../../token/domain/events.ts";
import { FileMaximum } from "../../../token/domain/files.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import type { Outcome } from "../../../token/domain/reasons.ts";
import type { Store } from "../../../token/domain/store.ts";
import { openStore } from "../../../token/storage/index.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

const accepted = <T>(outcome: Outcome<T, string>): T => (outcome.ok ? outcome.value : assert.fail(outcome.reason));
const bytes = (size: number, fill = 1) => new Uint8Array(size).fill(fill);
const attester = new FakeAttester({ aik: "restricted-ecc", ek: "ecc" });

function domainOn(store: Store, files = {}): Domain {
  return createDomain({ store, random: seededRandom(1), profile: STRICT, policy: DEFAULT_POLICY, files });
}

function enrol(domain: Domain, serialNumber: string): string {
  attester.metadata = { ...attester.metadata, serial_number: serialNumber };
  const aik = accepted(domain.judgeAik(encode(Tpm2bPublic, attester.aikPublic)));
  return accepted(domain.enrol({ aik, metadata: attester.metadataBytes(), rim: attester.rimBytes() })).id;
}

describe("platforms: list and names", () => {
  it("shows each with its name and what its files take", () => {
    const domain = domainOn(memoryStore());
    assert.deepEqual(domain.listPlatforms(), []);
    const [a, b] = [enrol(domain, "a"), enrol(domain, "b")];
    domain.files.write(a, "key", bytes(64));
    domain.files.write(a, "note", bytes(6));
    assert.equal(domain.renamePlatform(b, "the lab\u2019s \u{1f4bb}"), "done");
    const rows = domain.listPlatforms().map(({ summary, ...rest }) => [summary.serialNumber, rest]);
    assert.deepEqual(Object.fromEntries(rows), {
      a: { name: "", files: 2, bytes: 70, logEvents: 0 },
      b: { name: "the lab\u2019s \u{1f4bb}", files: 0, bytes: 0, logEvents: 0 },
    });
    const ids = domain.listPlatforms().map(({ summary }) => summary.id);
    assert.deepEqual(ids, [a, b].sort());
  });

  it("takes a name away by an empty one, knows no name of an unknown platform, and refuses callers with a long one", () => {
    const store = memoryStore();
    const domain = domainOn(store);
    const id = enrol(domain, "a");
    const before = store.keys("").length;
    domain.renamePlatform(id, "x");
    assert.equal(domain.renamePlatform(id, ""), "done");
    assert.equal(store.keys("").length, before);
    assert.equal(domain.renamePlatform("00".repeat(32), "x"), "unknown");
    assert.equal(domain.renamePlatform(id, "é".repeat(Limit.PLATFORM_NAME_BYTES / 2)), "done");
    assert.throws(() => domain.renamePlatform(id, "x".repeat(Limit.PLATFORM_NAME_BYTES + 1)), RangeError);
  });

  it("keeps the old name when there is no room", () => {
    const roomy = memoryStore();
    const id = enrol(domainOn(roomy), "a");
    const size = roomy.keys("").reduce((sum, key) => sum + key.length + (roomy.get(key)?.byteLength ?? 0), 0);
    const domain = domainOn(memoryStore(size + 10));
    assert.equal(enrol(domain, "a"), id);
    assert.equal(domain.renamePlatform(id, "lab"), "storage-full");
    assert.equal(domain.listPlatforms()[0]?.name, "");
  });

  it("are as many as one list can name", () => {
    const domain = domainOn(memoryStore());
    for (let i = 0; i < Limit.PLATFORMS; i++) enrol(domain, `n${i}`);
    assert.throws(() => enrol(domain, "one more"), /storage-full/);
    assert.equal(domain.listPlatforms().length, Limit.PLATFORMS);
  });
});

describe("platforms: removal", () => {
  it("takes the platform, its name and its files, nothing of others, in one commit, and tells", () => {
    const inner = memoryStore();
    let commits = 0;
    const store: Store = {
      ...inner,
      commit(changes) {
        commits++;
        return inner.commit(changes);
      },
    };
    const domain = domainOn(store);
    const [a, b] = [enrol(domain, "a"), enrol(domain, "b")];
    for (const id of [a, b]) {
      domain.renamePlatform(id, "name");
      domain.files.write(id, "key", bytes(3));
      domain.files.write(id, "note", bytes(4));
    }
    const events: TokenEvent[] = [];
    domain.onEvent((event) => events.push(event));
    commits = 0;
    assert.equal(domain.removePlatform(a)?.serialNumber, "a");
    assert.equal(commits, 1);
    assert.deepEqual(
      store.keys("").filter((key) => key.includes(a)),
      [],
    );
    assert.equal(domain.platforms.find(a), undefined);
    assert.deepEqual(
      domain.listPlatforms().map(({ summary, name, files, bytes }) => [summary.id, name, files, bytes]),
      [[b, "name", 2, 7]],
    );
    assert.deepEqual(
      events.map((event) => (event.type === "platform-removed" ? event.platform.id : event.type)),
      [a],
    );
    assert.equal(domain.removePlatform(a), undefined);
    assert.equal(events.length, 1);
  });

  it("then enrolled anew, it is nameless and finds none of its old files", () => {
    const domain = domainOn(openStore(createRamFlash()));
    const id = enrol(domain, "a");
    domain.renamePlatform(id, "lab");
    domain.files.write(id, "key", bytes(3));
    domain.removePlatform(id);
    assert.equal(enrol(domain, "a"), id);
    assert.equal(domain.files.read(id, "key"), undefined);
    assert.deepEqual(
      domain.listPlatforms().map(({ name, files }) => [name, files]),
      [["", 0]],
    );
  });

  it("works on a flash that is full, with as many files as a platform may have", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    const domain = domainOn(store, { files: FileMaximum.FILES, quotaBytes: 1 << 20 });
    const [a, b] = [enrol(domain, "a"), enrol(domain, "b")];
    domain.renamePlatform(a, "n".repeat(Limit.PLATFORM_NAME_BYTES));
    for (let i = 0; i < FileMaximum.FILES; i++) assert.equal(domain.files.write(a, `f${i}`, bytes(300, i)), "created");
    for (let size = 6000; size > 0; size = Math.floor(size / 2)) {
      for (let i = 0; domain.files.write(b, `${size}-${i}`, bytes(size)) === "created"; i++);
    }
    const others = domain.files.list(b);
    assert.equal(domain.files.write(a, "f0", bytes(400)), "storage-full");
    assert.equal(domain.removePlatform(a)?.id, a);
    const after = domainOn(openStore(flash));
    assert.equal(after.platforms.find(a), undefined);
    assert.deepEqual(after.files.list(a), []);
    assert.deepEqual(after.files.list(b), others);
  });
});

describe("platforms: who may administer them", () => {
  it("the CA that issued the token's certificate, once there is one", () => {
    const store = memoryStore();
    const domain = domainOn(store);
    const owner = new FakeOwner();
    domain.roots.add(owner.root.certificate, []);
    assert.equal(domain.issuingKey(), undefined);
    const chain = accepted(domain.judgeOwner(owner.chainBody()));
    const leaf = owner.issue(accepted(domain.requestCertificate()));
    assert.equal(domain.issuingKey(), undefined);
    accepted(domain.acceptCertificate(leaf.der, chain));
    assert.deepEqual(domain.issuingKey(), owner.issuing.certificate.publicKeyInfo);
    assert.deepEqual(domainOn(store).issuingKey(), owner.issuing.certificate.publicKeyInfo);
    domain.wipe();
    assert.equal(domain.issuingKey(), undefined);
  });
});
