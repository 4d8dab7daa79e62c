import assert from "node:assert/strict";
import type { Token } from "../../token/token.ts";
import { planOf } from "./plan.ts";
import { failureLines } from "./report.ts";
import { type RunResult, runSeed } from "./run.ts";
import { shrink } from "./shrink.ts";
import type { Sabotage } from "./world.ts";

const SEEDS = 40;

/** A sabotaged token is found out by one of the first so many seeds. */
const SABOTAGED_SEEDS = 10;

async function firstFailure(sabotage: Sabotage): Promise<RunResult> {
  for (let seed = 1; seed <= SABOTAGED_SEEDS; seed++) {
    const result = await runSeed(seed, { sabotage });
    if (result.violation !== undefined) return result;
  }
  return assert.fail("nothing was noticed");
}

const trustsEverything: Sabotage = ({ domain }) => {
  domain.appraise = () => ({ ok: true, value: undefined });
};

const sabotages: readonly (readonly [what: string, sabotage: Sabotage, seen: RegExp])[] = [
  ["trusts every evidence", trustsEverything, /^trusted, when the computer was another$/],
  [
    "takes a port for a proof",
    ({ domain }) => {
      domain.profile = { ...domain.profile, storageGrants: false };
    },
    /^a file was read by a program without the TPM$|^another program's request was done once more$/,
  ],
  [
    "says that it wrote, and did not",
    ({ domain: { files } }) => {
      files.write = () => "replaced";
    },
    /^the file is gone$/,
  ],
  [
    "is green without a session",
    ({ domain }: Token) => {
      domain.onEvent(({ type }) => {
        if (type === "platform-provisioned") domain.tell({ type: "attested-sessions", count: 1 });
      });
    },
    /^the token counts 1 attested sessions, 0 can live$/,
  ],
];

describe("simulation", function () {
  this.timeout(60_000);

  it(`${SEEDS} seeds hold, and all kinds of trouble are among them`, async () => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violation, plan } = await runSeed(seed);
      assert.equal(violation, undefined, `npm run sim -- --seeds ${seed}..${seed}`);
      for (const { what } of plan.troubles) kinds.add(what);
    }
    assert.equal(kinds.size, 13);
  });

  it("the same seed gives the same frames and the same trace, another seed others", async () => {
    const [one, same, other] = [await runSeed(6), await runSeed(6), await runSeed(9)];
    assert.deepEqual([same.digest, same.trace], [one.digest, one.trace]);
    assert.notEqual(other.digest, one.digest);
  });

  for (const [what, sabotage, seen] of sabotages) {
    it(`finds a token out that ${what}`, async () => {
      assert.match((await firstFailure(sabotage)).violation ?? "", seen);
    });
  }

  it("a failure is told with few troubles, its trace, and a command that shows it again", async () => {
    const failed = await firstFailure(trustsEverything);
    const shrunk = await shrink(failed, { sabotage: trustsEverything });
    assert.ok(shrunk.only.length < planOf(failed.seed).troubles.length);
    const again = await runSeed(failed.seed, { only: shrunk.only, sabotage: trustsEverything });
    assert.deepEqual([again.violation, again.digest], [shrunk.result.violation, shrunk.result.digest]);
    const told = failureLines(shrunk).join("\n");
    assert.match(
      told,
      new RegExp(`--seeds ${failed.seed}\\.\\.${failed.seed} --only ${shrunk.only.join(",")} --trace`),
    );
    assert.match(told, /other-boot|tpm-reset/);
  });
});
