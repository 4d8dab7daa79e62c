import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { encode } from "../../../shared/bytes/index.ts";
import type { Flash, FlashGeometry } from "../../../shared/ports/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../../shared/tpm/index.ts";
import { createDomain, type Domain } from "../../../token/domain/domain.ts";
import { packLog } from "../../../token/domain/log-record.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import type { Outcome } from "../../../token/domain/reasons.ts";
import type { Store } from "../../../token/domain/store.ts";
import { openStore } from "../../../token/storage/index.ts";
import { FakeAttester, vendorRoot } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { RECORDED } from "../../support/launch-log.ts";
import { contents, cutEverywhere, type Model, told } from "../../support/power-cuts.ts";
import { seededRandom } from "../../support/random.ts";

const accepted = <T>(outcome: Outcome<T, string>): T => (outcome.ok ? outcome.value : assert.fail(outcome.reason));
/** Bytes that stand nowhere else, to be looked for after a wipe. */
const secret = (size: number) => new Uint8Array(size).fill(0x5a);
const attester = new FakeAttester({ aik: "restricted-ecc", ek: "ecc" });
const owner = new FakeOwner();
const vendors = ["v1", "v2"].map((name) => vendorRoot(name).certificate);

/** Small, so that each start is short; a token's own values fit. */
const GEOMETRY: FlashGeometry = { pageBytes: 1024, pages: 26 };

function domainOn(store: Store): Domain {
  const files = { quotaBytes: 1 << 20 };
  return createDomain({ store, random: seededRandom(1), profile: STRICT, policy: DEFAULT_POLICY, files });
}

/** A store that tells its state when it is opened and after each change. */
function toldStore(flash: Flash, tell: (now: Model) => void): Store {
  const store = openStore(flash);
  const then = <T>(result: T): T => {
    tell(contents(store));
    return result;
  };
  return then({
    ...{ get: (key: string) => store.get(key), keys: (prefix: string) => store.keys(prefix) },
    commit: (changes) => then(store.commit(changes)),
    wipe: (keep) => then(store.wipe(keep)),
  } satisfies Store);
}

function enrol(domain: Domain, serialNumber: string, log?: Uint8Array): string {
  attester.metadata = { ...attester.metadata, serial_number: serialNumber };
  const aik = accepted(domain.judgeAik(encode(Tpm2bPublic, attester.aikPublic)));
  return accepted(domain.enrol({ aik, metadata: attester.metadataBytes(), rim: attester.rimBytes(), log })).id;
}

function provision(domain: Domain): void {
  domain.roots.add(owner.root.certificate, vendors);
  const leaf = owner.issue(accepted(domain.requestCertificate()));
  accepted(domain.acceptCertificate(leaf.der, accepted(domain.judgeOwner(owner.chainBody()))));
}

/** A provisioned token with two platforms, names and files, of which the log has gone round; the id of the one that is worked on. */
function used(flash: Flash): string {
  const domain = domainOn(openStore(flash));
  provision(domain);
  const [a, b] = [enrol(domain, "a"), enrol(domain, "b")];
  for (const id of [a, b]) domain.renamePlatform(id, "lab");
  for (const name of ["key", "note"]) domain.files.write(a, name, secret(300));
  for (let i = 0; i < 60; i++) domain.files.write(b, "note", secret(500 + i));
  return a;
}

type Steps = (domain: Domain, a: string) => void;

const steps: Readonly<Record<string, Steps>> = {
  "a platform is enrolled with its log": (domain) => enrol(domain, "c", packLog(RECORDED)),
  "a file is created": (domain, a) => assert.equal(domain.files.write(a, "new", secret(250)), "created"),
  "a file is replaced, again and again": (domain, a) => {
    for (let i = 0; i < 4; i++) assert.equal(domain.files.write(a, "key", secret(290 + i)), "replaced");
  },
  "a file is removed": (domain, a) => assert.equal(domain.files.remove(a, "key"), "removed"),
  "a platform is renamed": (domain, a) => assert.equal(domain.renamePlatform(a, "home"), "done"),
  "a platform is removed": (domain, a) => assert.equal(domain.removePlatform(a)?.id, a),
  "the token is wiped": (domain) => domain.wipe(),
};

describe("power cuts: a token, cut at each change of its flash in every way", function () {
  this.timeout(60_000);
  const erased = createRamFlash(GEOMETRY).image();
  const flash = createRamFlash(GEOMETRY);
  const a = used(flash);

  function cut(name: string, image: Uint8Array, run: Steps, holds?: (flash: Flash, found: Model) => void): void {
    const work = (on: Flash, tell: (now: Model) => void) => run(domainOn(toldStore(on, tell)), a);
    console.log(`      ${told(cutEverywhere({ name, geometry: GEOMETRY, image, run: work, holds }))}`);
  }

  it("it is provisioned: it is before or after", () => cut("provisioning", erased, provision));

  for (const [what, step] of Object.entries(steps)) {
    it(`${what}: it is done or not begun`, () => {
      const wiped = (on: Flash, found: Model) => {
        if ([...found.keys()].some((key) => !key.startsWith("root/"))) return;
        const image = Buffer.from(on.read(0, GEOMETRY.pageBytes * GEOMETRY.pages));
        assert.equal(image.indexOf(Buffer.alloc(8, 0x5a)), -1);
        assert.equal(found.size, 1 + vendors.length);
      };
      cut(what, flash.image(), step, wiped);
    });
  }
});
