import assert from "node:assert/strict";
import { encode } from "../../../shared/bytes/index.ts";
import { type CborValue, decodeItem, encodeItem } from "../../../shared/cbor/index.ts";
import { IndefiniteMap } from "../../../shared/cbor/value.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../../shared/tpm/index.ts";
import { createDomain, type Domain, type DomainConfig } from "../../../token/domain/domain.ts";
import { COMPAT, type Profile, STRICT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

const PROFILES = [STRICT, COMPAT] as const;

/** A token, and how platforms of one TPM are enrolled there: "accepted", or the reason with its detail. */
function tokenOf(profile: Profile, more: Partial<DomainConfig> = {}) {
  const attester = new FakeAttester({ aik: profile === STRICT ? "restricted-rsa" : "reference" });
  const config = { store: memoryStore(), random: seededRandom(1), profile, policy: DEFAULT_POLICY };
  const domain = createDomain({ ...config, ...more });
  const aik = domain.judgeAik(encode(Tpm2bPublic, attester.aikPublic));
  assert.ok(aik.ok);
  const enrol = (metadata: Uint8Array, rim = attester.rimBytes()): string => {
    const done = domain.enrol({ aik: aik.value, metadata, rim });
    return done.ok ? "accepted" : [done.reason, done.detail].filter((text) => text !== undefined).join(": ");
  };
  return { domain, enrol };
}

const named = (serialNumber: string): Uint8Array => new FakeAttester({ serialNumber }).metadataBytes();

const mapOf = (metadata: Uint8Array): ReadonlyMap<string, CborValue> => {
  const item = decodeItem(metadata);
  return item instanceof Map ? item : assert.fail("no map");
};
/** The same map, with an end instead of a length. */
const withEnd = (metadata: Uint8Array): Uint8Array => encodeItem(new IndefiniteMap(mapOf(metadata)));
/** The same map, last key first. */
const reversed = (metadata: Uint8Array): Uint8Array => encodeItem(new Map([...mapOf(metadata)].reverse()));

const serials = (domain: Domain): readonly string[] => domain.platforms.list().map(({ serialNumber }) => serialNumber);

describe("enrolment: the same words in other bytes (D-74)", () => {
  const ways = { "a map with an end": withEnd, "another order of keys": reversed } as const;
  for (const profile of PROFILES) {
    for (const [what, other] of Object.entries(ways)) {
      it(`${profile.name}: ${what} is ${profile === STRICT ? "the platform that is known" : "another platform"}`, () => {
        for (const [first, second] of [
          [(bytes: Uint8Array) => bytes, other],
          [other, (bytes: Uint8Array) => bytes],
        ] as const) {
          // biome-ignore format: one row
          const { domain, enrol } = tokenOf(profile);
          assert.equal(enrol(first(named("one"))), "accepted");
          assert.equal(enrol(second(named("one"))), profile === STRICT ? "platform-known" : "accepted");
          assert.equal(domain.platforms.count, profile === STRICT ? 1 : 2);
        }
      });
    }

    it(`${profile.name}: another serial number, product, manufacturer or MAC address is another platform`, () => {
      const { enrol } = tokenOf(profile);
      const words = mapOf(named("one"));
      const others = [
        ["serial_number", "two"],
        ["product_name", "other"],
        ["manufacturer", "other"],
        ["mac", new Uint8Array(6).fill(7)],
      ] as const;
      assert.equal(enrol(named("one")), "accepted");
      for (const [key, value] of others) {
        assert.equal(enrol(encodeItem(new Map([...words, [key, value]]))), "accepted", key);
      }
    });
  }
});

describe("enrolment: of the first platform only", () => {
  const CLOSED =
    "enrolment-closed: its owner removes the platforms that it knows, or has it started without --enrol first";

  for (const profile of PROFILES) {
    it(`${profile.name}: others are refused, until the one is removed`, () => {
      const { domain, enrol } = tokenOf(profile, { enrols: "first" });
      assert.equal(enrol(named("one")), "accepted");
      assert.equal(enrol(named("two")), CLOSED);
      assert.equal(enrol(named("one")), "platform-known");
      assert.deepEqual(serials(domain), ["one"]);
      const [platform] = domain.platforms.list();
      domain.removePlatform(platform?.id ?? "");
      assert.equal(enrol(named("two")), "accepted");
      assert.deepEqual(serials(domain), ["two"]);
    });

    it(`${profile.name}: any platform is enrolled unless said otherwise`, () => {
      for (const enrols of ["any", undefined] as const) {
        const { enrol } = tokenOf(profile, enrols === undefined ? {} : { enrols });
        assert.deepEqual([enrol(named("one")), enrol(named("two"))], ["accepted", "accepted"]);
      }
    });

    it(`${profile.name}: of those that were enrolled before, one is enough to refuse others`, () => {
      const store = memoryStore();
      const before = tokenOf(profile, { store });
      before.enrol(named("one"));
      before.enrol(named("two"));
      const { enrol } = tokenOf(profile, { store, enrols: "first" });
      assert.equal(enrol(named("three")), CLOSED);
    });
  }
});
