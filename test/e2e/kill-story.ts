/** What happens to a token that is killed at every operation on its flash: owner, two computers, their files. */
import assert from "node:assert/strict";
import { digest } from "../../shared/crypto/index.ts";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { seededRandom } from "../support/random.ts";
import type { V1Walk } from "../support/v1-walk.ts";

const body = (name: string, size: number) => seededRandom(1, name).bytes(size);
export const owner = new FakeOwner();
export const computers = {
  first: new FakeAttester({ aik: "restricted-ecc", ek: "ecc", serialNumber: "1" }),
  second: new FakeAttester({ aik: "restricted-ecc", ek: "ecc", serialNumber: "2" }),
} as const;
export type Which = keyof typeof computers;

export interface Platform {
  readonly name: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** What can be seen of a token from outside; undefined while it has no owner. */
export type Seen = Partial<Record<Which, Platform>> | undefined;

export const idOf = (which: Which) => digest("sha256", computers[which].metadataBytes());

/** One computer with a session of its own. */
export type Visitor = (which: Which) => V1Walk;

interface Step {
  readonly what: string;
  run(visit: Visitor): Promise<void>;
  leaves(seen: Seen): Seen;
}

const put = (which: Which, name: string, size: number, version = 1): Step => ({
  what: `${version === 1 ? "write" : "replace"} ${name} of the ${which}`,
  async run(visit) {
    const walk = visit(which);
    await walk.attest();
    await walk.write(name, body(`${name}${version}`, size), { code: version === 1 ? "2.01" : "2.04" });
  },
  leaves: (seen) => changed(seen, which, (files) => ({ ...files, [name]: body(`${name}${version}`, size) })),
});

function changed(seen: Seen, which: Which, change: (files: Platform["files"]) => Platform["files"]): Seen {
  const platform = seen?.[which] ?? assert.fail("no such platform");
  return { ...seen, [which]: { ...platform, files: change(platform.files) } };
}

const enrol = (which: Which): Step => ({
  what: `provision the ${which} computer`,
  run: (visit) => visit(which).provisionPlatform(),
  leaves: (seen) => ({ ...seen, [which]: { name: "", files: {} } }),
});

export const STORY: readonly Step[] = [
  { what: "provision the token", run: (visit) => visit("first").provisionToken(), leaves: () => ({}) },
  enrol("first"),
  put("first", "disk.key", 64),
  put("first", "large", 3_000),
  enrol("second"),
  put("second", "disk.key", 6_000),
  put("first", "large", 6_000, 2),
  {
    what: "name the second computer",
    run: (visit) => visit("second").renamePlatform(idOf("second"), "in the hall"),
    leaves: (seen) => ({ ...seen, second: { ...(seen?.second ?? assert.fail()), name: "in the hall" } }),
  },
  {
    what: "delete a file of the first",
    async run(visit) {
      const walk = visit("first");
      await walk.attest();
      await walk.remove("disk.key");
    },
    leaves: (seen) => changed(seen, "first", ({ large }) => (large === undefined ? {} : { large })),
  },
  put("second", "disk.key", 6_000, 2),
  put("second", "disk.key", 5_999, 3),
  put("second", "disk.key", 6_000, 4),
  {
    what: "remove the first platform",
    run: (visit) => visit("first").removePlatform(idOf("first")),
    leaves: (seen) => ({ second: seen?.second ?? assert.fail() }),
  },
  enrol("first"),
];

/** What is to be seen before each step, and after the last. */
const states: Seen[] = [undefined];
for (const { leaves } of STORY) states.push(leaves(states.at(-1)));
export const STATES: readonly Seen[] = states;
