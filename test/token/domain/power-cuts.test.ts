import assert from "node:assert/strict";
import { createRamFlash, STICK_GEOMETRY } from "../../../hw/flash/index.ts";
import { encode, toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import type { Flash } from "../../../shared/ports/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../../shared/tpm/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import { packLog } from "../../../token/domain/log-record.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import type { Outcome } from "../../../token/domain/reasons.ts";
import { openStore } from "../../../token/storage/index.ts";
import { createCutFlash, PowerCut } from "../../support/cut-flash.ts";
import { FakeAttester, vendorRoot } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { RECORDED } from "../../support/launch-log.ts";
import { seededRandom } from "../../support/random.ts";

const accepted = <T>(outcome: Outcome<T, string>): T => (outcome.ok ? outcome.value : assert.fail(outcome.reason));
/** Bytes that stand nowhere else, to be looked for after a wipe. */
const secret = (size: number) => new Uint8Array(size).fill(0x5a);
const attester = new FakeAttester({ aik: "restricted-ecc", ek: "ecc" });
const owner = new FakeOwner();
const vendors = ["v1", "v2", "v3"].map((name) => vendorRoot(name).certificate);

function domainOn(flash: Flash): Domain {
  return createDomain({
    store: openStore(flash),
    random: seededRandom(1),
    profile: STRICT,
    policy: DEFAULT_POLICY,
    files: { quotaBytes: 1 << 20 },
  });
}

function enrol(domain: Domain, serialNumber: string, log?: Uint8Array): string {
  attester.metadata = { ...attester.metadata, serial_number: serialNumber };
  const aik = accepted(domain.judgeAik(encode(Tpm2bPublic, attester.aikPublic)));
  return accepted(domain.enrol({ aik, metadata: attester.metadataBytes(), rim: attester.rimBytes(), log })).id;
}

/** A provisioned token with two platforms, names, files; platform `a` is the one that is worked on. */
function prepare(flash: Flash): string {
  const domain = domainOn(flash);
  domain.roots.add(owner.root.certificate, vendors);
  const leaf = owner.issue(accepted(domain.requestCertificate()));
  accepted(domain.acceptCertificate(leaf.der, accepted(domain.judgeOwner(owner.chainBody()))));
  const [a, b] = [enrol(domain, "a"), enrol(domain, "b")];
  for (const id of [a, b]) {
    domain.renamePlatform(id, "lab");
    for (const name of ["key", "note", "more"]) domain.files.write(id, name, secret(3000));
  }
  return a;
}

/** As `prepare`, and then filled up and written over until the log has gone round several times. */
function prepareFull(flash: Flash): string {
  const a = prepare(flash);
  const domain = domainOn(flash);
  const b = domain.listPlatforms().find(({ summary }) => summary.id !== a)?.summary.id ?? assert.fail();
  for (let i = 0; i < 20; i++) domain.files.write(b, `filler${i}`, secret(2200));
  for (let i = 0; i < 120; i++) domain.files.write(b, "note", secret(2000 + i));
  for (let i = 0; i < 9; i++) domain.files.write(b, "more", secret(6000 - i));
  return a;
}

function contents(flash: Flash): string {
  const store = openStore(flash);
  return JSON.stringify(
    store.keys("").map((key) => [key, toHex(digest("sha256", store.get(key) ?? new Uint8Array()))]),
  );
}

const steps: Readonly<Record<string, (domain: Domain, a: string) => void>> = {
  "a platform is enrolled": (domain) => enrol(domain, "c"),
  "a platform is enrolled with its log": (domain) => {
    const id = enrol(domain, "c", packLog(RECORDED));
    const entry = domain.listPlatforms().find(({ summary }) => summary.id === id);
    assert.equal(entry?.logEvents, RECORDED.events.length);
  },
  "a file is created": (domain, a) => assert.equal(domain.files.write(a, "new", secret(2500)), "created"),
  "a file is replaced": (domain, a) => assert.equal(domain.files.write(a, "key", secret(2900)), "replaced"),
  "a file is removed": (domain, a) => assert.equal(domain.files.remove(a, "key"), "removed"),
  "a platform is renamed": (domain, a) => assert.equal(domain.renamePlatform(a, "home"), "done"),
  "a platform is removed": (domain, a) => assert.equal(domain.removePlatform(a)?.id, a),
  "the token is wiped": (domain) => domain.wipe(),
};

/** Runs until the cut, if there is one. */
function cutShort(run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof PowerCut) return true;
    throw error;
  }
}

function cutIn(image: Uint8Array, at: number, share: number, run: (flash: Flash) => void) {
  const flash = createCutFlash(STICK_GEOMETRY, image);
  flash.cutAt(at, share);
  return { cut: cutShort(() => run(flash)), image: flash.image() };
}

for (const [state, make] of Object.entries({ young: prepare, "full and round": prepareFull })) {
  describe(`power cuts: a token whose flash is ${state}`, () => {
    const flash = createRamFlash();
    const a = make(flash);
    const image = flash.image();
    const before = contents(flash);

    for (const [what, step] of Object.entries(steps)) {
      it(`${what}: cut at every operation, it is done or not begun`, () => {
        const whole = createCutFlash(STICK_GEOMETRY, image);
        step(domainOn(whole), a);
        const after = contents(createRamFlash(STICK_GEOMETRY, whole.image()));
        assert.notEqual(after, before);
        const seen = new Set<string>();
        for (let at = 0; at < whole.operations; at++) {
          for (const share of [0, 0.4, 1]) {
            const { cut, image: left } = cutIn(image, at, share, (flash) => step(domainOn(flash), a));
            assert.ok(cut);
            const found = contents(createRamFlash(STICK_GEOMETRY, left));
            assert.ok(found === before || found === after, `cut at operation ${at}, ${share} of it done`);
            seen.add(found);
            domainOn(createRamFlash(STICK_GEOMETRY, left)).listPlatforms(); // each decodes
          }
        }
        assert.equal(seen.size, 2, "both states must have been seen");
      });
    }

    it("a wipe, cut, and cut again while it is finished: the roots are there, nothing else, nor a byte of it", () => {
      const clean = createRamFlash(STICK_GEOMETRY, image);
      domainOn(clean).wipe();
      const wiped = contents(clean);
      let twice = 0;
      for (let at = 0; ; at++) {
        const first = cutIn(image, at, 0.4, (flash) => domainOn(flash).wipe());
        if (!first.cut) break;
        for (let second = 0; ; second++) {
          const { cut, image: left } = cutIn(first.image, second, second % 2, (flash) => void openStore(flash));
          const last = createRamFlash(STICK_GEOMETRY, left);
          const found = contents(last);
          assert.ok(found === before || found === wiped, `cuts at operations ${at} and ${second}`);
          const { roots } = domainOn(last);
          assert.deepEqual(roots.owner()?.der, owner.root.certificate.der);
          assert.equal(roots.ek().length, vendors.length);
          if (found === wiped) assert.equal(Buffer.from(last.image()).indexOf(Buffer.alloc(8, 0x5a)), -1);
          if (!cut) break;
          twice++;
        }
      }
      assert.ok(twice > 20, `${twice} times cut twice`);
    });
  });
}
