import assert from "node:assert/strict";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { createDomain } from "../../../token/domain/domain.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/random.ts";

describe("what the domain tells", () => {
  it("reaches all listeners, whatever one of them throws, and the first error goes on", () => {
    const domain = createDomain({
      store: memoryStore(),
      random: seededRandom(1),
      profile: STRICT,
      policy: DEFAULT_POLICY,
    });
    const heard: string[] = [];
    for (const name of ["first", "second"]) {
      domain.onEvent(({ type }) => {
        heard.push(`${name} ${type}`);
        throw new Error(name);
      });
    }
    assert.throws(() => domain.wipe(), { message: "first" });
    assert.deepEqual(heard, ["first wiped", "second wiped"]);
  });
});
