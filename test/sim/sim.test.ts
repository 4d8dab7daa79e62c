import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { evidenceRoute } from "../../token/server/evidence.ts";
import { Grants } from "../../token/server/grants.ts";
import { DEFAULT_LIMITS } from "../../token/server/limits.ts";
import { Session } from "../../token/server/session.ts";
import { SessionTable } from "../../token/server/sessions.ts";
import type { Token } from "../../token/token.ts";
import { Asked } from "./asked.ts";
import { carryOutAll, type Report } from "./batch.ts";
import { Findings } from "./findings.ts";
import { planOf } from "./plan.ts";
import { failureLines } from "./report.ts";
import { type RunResult, runSeed } from "./run.ts";
import { shrink } from "./shrink.ts";
import type { Sabotage } from "./site.ts";

const SEEDS = 25;
const KINDS = 19;

/** A sabotaged token is found out by one of the first so many seeds. */
const SABOTAGED_SEEDS = 25;

async function firstFailure(sabotage: Sabotage): Promise<RunResult> {
  for (let seed = 1; seed <= SABOTAGED_SEEDS; seed++) {
    const result = await runSeed(seed, { sabotage });
    if (result.violation !== undefined) return result;
  }
  return assert.fail("nothing was noticed");
}

const honestly: Sabotage = () => undefined;

const trustsEverything: Sabotage = ({ domain }) => {
  domain.appraise = () => ({ ok: true, value: undefined });
};

/** Every third frame is lost inside the stick. */
const swallows: Sabotage = ({ usb }) => {
  const { bulkOut } = usb;
  let frames = 0;
  usb.bulkOut = (ep, data) => (++frames % 3 === 0 ? "ack" : bulkOut.call(usb, ep, data));
};

const mixesFiles: Sabotage = ({ domain }) => {
  const { files } = domain;
  const { read } = files;
  files.read = (platform, name) => {
    const other = domain.listPlatforms().find(({ summary }) => summary.id !== platform);
    return (other && read(other.summary.id, name)) ?? read(platform, name);
  };
};

const sabotages: readonly (readonly [what: string, sabotage: Sabotage, seen: RegExp])[] = [
  ["trusts every evidence", trustsEverything, /^trusted, when the computer was another$/],
  [
    "takes a port for a proof",
    ({ domain }) => {
      domain.profile = { ...domain.profile, storageGrants: false };
    },
    /^a file was read by a program without the TPM$|^grant=[0-9a-f]+ was accepted twice$/,
  ],
  [
    "says that it wrote, and did not",
    ({ domain: { files } }) => {
      files.write = () => "replaced";
    },
    /^the file is gone$/,
  ],
  ["swallows requests", swallows, /^the token left a request for \/api\/\S+ unanswered/],
  ["gives a computer the file of another", mixesFiles, /^disk.key is \d+ bytes that nobody wrote$/],
  [
    "forgets names, and says that it keeps them",
    ({ domain: { platforms } }) => {
      platforms.rename = () => "done";
    },
    /^nobody called a platform|^the token's log/,
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

  it(`${SEEDS} seeds hold`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violation } = await runSeed(seed);
      assert.equal(violation, undefined, `npm run sim -- --seeds ${seed}..${seed}`);
    }
  });

  it("plans are of all kinds of trouble, and of all numbers of sticks and computers", () => {
    const plans = Array.from({ length: 100 }, (_, seed) => planOf(seed));
    assert.equal(new Set(plans.flatMap(({ troubles }) => troubles.map(({ what }) => what))).size, KINDS);
    const shapes = new Set(plans.map(({ sticks, computers }) => `${sticks} ${computers.length}`));
    assert.deepEqual([...shapes].sort(), ["1 1", "1 2", "2 1", "2 2"]);
    const uses = new Set(plans.flatMap(({ computers }) => computers.map(({ manner, key }) => `${manner} ${key}`)));
    assert.equal(uses.size, 4);
  });

  it("the same seed gives the same frames and the same trace, another seed others", async () => {
    const [one, same, other] = [await runSeed(6), await runSeed(6), await runSeed(9)];
    assert.deepEqual([same.digest, same.trace], [one.digest, one.trace]);
    assert.notEqual(other.digest, one.digest);
  });

  it("several processes come to the same, in the same order", async () => {
    const errands = [6, 7, 9].map((seed) => ({ seed, trace: true }));
    const reports = async (jobs: number) => {
      const all: Report[] = [];
      await carryOutAll(errands, jobs, (report) => all.push(report));
      return all;
    };
    const alone = await reports(1);
    assert.deepEqual(
      alone.map(({ seed, held }) => [seed, held]),
      errands.map(({ seed }) => [seed, true]),
    );
    assert.deepEqual(await reports(2), alone);
  });

  for (const [what, sabotage, seen] of sabotages) {
    it(`finds a token out that ${what}`, async () => {
      assert.match((await firstFailure(sabotage)).violation ?? "", seen);
    });
  }

  it("finds a token out that is green for a computer that booted something else, whatever its domain says", async () => {
    const { handle } = evidenceRoute;
    evidenceRoute.handle = (request, call) => {
      const { domain } = call;
      const appraise: typeof domain.appraise = (...asked) => {
        const appraisal = domain.appraise(...asked);
        return appraisal.ok || appraisal.unexpected === undefined ? appraisal : { ok: true, value: undefined };
      };
      return handle(request, { ...call, domain: { ...domain, appraise } });
    };
    try {
      const { violation } = await firstFailure(honestly);
      assert.equal(violation, "attested, and no evidence was trusted within this frame");
    } finally {
      evidenceRoute.handle = handle;
    }
  });

  it("finds a token out whose sessions outlive a boot, though another one attested since", async () => {
    const { revokeFormer } = SessionTable.prototype;
    SessionTable.prototype.revokeFormer = () => undefined;
    try {
      const { violation } = await firstFailure(honestly);
      assert.match(violation ?? "", /^the token counts \d+ attested sessions, \d+ can live$/);
    } finally {
      SessionTable.prototype.revokeFormer = revokeFormer;
    }
  });

  it("finds a token out that takes a nonce twice", async () => {
    const { renewNonce, takeNonce } = Session.prototype;
    const nonces = new WeakMap<Session, Uint8Array>();
    Session.prototype.renewNonce = function (nonce) {
      nonces.set(this, nonce);
    };
    Session.prototype.takeNonce = function () {
      return nonces.get(this);
    };
    try {
      assert.match((await firstFailure(honestly)).violation ?? "", /was accepted twice$/);
    } finally {
      Object.assign(Session.prototype, { renewNonce, takeNonce });
    }
  });

  it("finds a token out that takes a grant twice", async () => {
    const { use } = Grants.prototype;
    Grants.prototype.use = () => true;
    try {
      assert.match((await firstFailure(honestly)).violation ?? "", /^grant=[0-9a-f]+ was accepted twice$/);
    } finally {
      Grants.prototype.use = use;
    }
  });

  it("finds a token out that opens more sessions than it may", async () => {
    const { sessions } = DEFAULT_LIMITS;
    Object.assign(DEFAULT_LIMITS, { sessions: 2 * sessions });
    try {
      assert.match((await firstFailure(honestly)).violation ?? "", /^sessions: \d+, 32 at most$/);
    } finally {
      Object.assign(DEFAULT_LIMITS, { sessions });
    }
  });

  it("finds out who never tells what became of a request", async () => {
    const clock = new VirtualClock();
    const findings = new Findings();
    const asked = new Asked(() => clock.now(), findings);
    asked.began("a refused one", Promise.reject(new Error("silence")));
    asked.began("a lost one", new Promise(() => undefined));
    await Promise.resolve();
    asked.step();
    assert.equal(findings.violation, undefined);
    clock.advance(120_001);
    asked.step();
    assert.equal(findings.violation, "nothing became of a lost one");
    const late = new Findings();
    new Asked(() => clock.now(), late).over();
    assert.equal(late.violation, undefined);
  });

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
