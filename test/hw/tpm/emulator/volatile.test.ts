import assert from "node:assert/strict";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { ACTIVE_SESSIONS } from "../../../../hw/tpm/emulator/session-table.ts";
import { createMemoryStateStore, StateDirectoryError } from "../../../../hw/tpm/emulator/state-store.ts";
import { ramOf, VolatileFile, volatileOf } from "../../../../hw/tpm/emulator/volatile.ts";
import { CodecError } from "../../../../shared/bytes/index.ts";
import { aikRestrictedEcc, commands, TpmAlg, TpmCc, TpmRc, TpmRh } from "../../../../shared/tpm/index.ts";
import { assertStrict } from "../../../support/fuzz.ts";
import { furnished } from "./seeds.ts";
import { Bench, POLICY_SESSION } from "./support.ts";

const NONE = new Uint8Array(0);
const PRIMARY = {
  inSensitive: { userAuth: NONE, data: NONE },
  inPublic: aikRestrictedEcc,
  outsideInfo: NONE,
  creationPCR: [],
};
const QUOTE = {
  qualifyingData: new Uint8Array(8),
  inScheme: { scheme: TpmAlg.NULL },
  PCRselect: [{ hash: TpmAlg.SHA256, pcrSelect: 1 << 16 }],
} as const;

/** A TPM in the middle of its work, its state stored, and what went on from that in the next process, perhaps later. */
function resumed<T>(work: (bench: Bench) => T, between: (bench: Bench) => void = () => undefined) {
  const store = createMemoryStateStore();
  const before = new Bench("before", store).start();
  const made = work(before);
  assert.ok(before.engine.storeVolatile());
  between(before);
  const after = new Bench("after", store);
  after.engine.powerCycle();
  return { made, after };
}

describe("a stored volatile state", () => {
  it("goes on with keys, sessions and saved contexts", () => {
    const { made, after } = resumed((bench) => {
      const session = () => bench.must(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], POLICY_SESSION).handle;
      const [policy, saved] = [session(), session()];
      bench.must(commands.PolicyCommandCode, [policy], { code: TpmCc.Unseal });
      const { policyDigest } = bench.must(commands.PolicyGetDigest, [policy], {}).response;
      const { context } = bench.must(commands.ContextSave, [saved], {}).response;
      return { policy, policyDigest, saved, context, key: bench.must(commands.CreatePrimary, [TpmRh.NULL], PRIMARY) };
    });
    const digest = (handle: number) => after.run(commands.PolicyGetDigest, [handle], {});
    assert.deepEqual(digest(made.policy).response?.policyDigest, made.policyDigest);
    const { name } = after.must(commands.ReadPublic, [made.key.handle], {}).response;
    assert.deepEqual(name, made.key.response.name);
    assert.equal(after.run(commands.Quote, [made.key.handle], QUOTE).rc, 0);
    assert.notEqual(digest(made.saved).rc, 0);
    assert.equal(after.must(commands.ContextLoad, [], { context: made.context }).handle, made.saved);
    assert.equal(digest(made.saved).rc, 0);
    assert.deepEqual(after.errors, []);
  });

  it("is refused when a session has a handle that no table gives: its place would be the sixteen-millionth", () => {
    const { engine } = furnished();
    const state = volatileOf(engine, true) ?? assert.fail("a sequence is loaded");
    const [loaded, ...others] = state.sessions.loaded;
    assert.ok(loaded?.kind === 2);
    const { handle } = loaded;
    for (const wrong of [(handle & 0xff00_0000) + ACTIVE_SESSIONS, handle + 0x00ff_0000, handle ^ 0x0100_0000]) {
      const sessions = { ...state.sessions, loaded: [{ ...loaded, handle: wrong }, ...others] };
      assert.throws(() => ramOf({ ...state, sessions }, engine, new VirtualClock()), /there is no place for session/);
    }
    const twice = { ...state.sessions, loaded: [loaded, loaded] };
    assert.throws(() => ramOf({ ...state, sessions: twice }, engine, new VirtualClock()), RangeError);
    const saved = [{ index: ACTIVE_SESSIONS, id: 4n }];
    const file = VolatileFile.encode({ ...state, sessions: { ...state.sessions, saved } });
    assert.throws(() => VolatileFile.decode(file), CodecError);
  });

  it("goes on with the clock where it stopped, or where another cycle brought it", () => {
    const clock = (bench: Bench) => bench.must(commands.ReadClock, [], {}).response.currentTime;
    const once = resumed((bench) => {
      bench.clock.advance(10_000);
      return clock(bench);
    });
    const { clockInfo, time } = once.made;
    assert.deepEqual(clock(once.after), { time, clockInfo: { ...clockInfo, safe: 0 } });
    const { made, after } = resumed(clock, (bench) => {
      bench.clock.advance(20_000);
      bench.must(commands.Shutdown, [], { shutdownType: 0 });
    });
    assert.equal(clock(after).clockInfo.clock, made.clockInfo.clock + 20_000n);
    assert.equal(clock(after).time, made.time);
  });

  it("is not safe until the next step of the clock: what was told since it was stored may come again", () => {
    const clock = (bench: Bench) => bench.must(commands.ReadClock, [], {}).response.currentTime.clockInfo;
    const { made, after } = resumed(
      (bench) => {
        bench.clock.advance(5000);
        return clock(bench);
      },
      (bench) => {
        bench.clock.advance(3000);
        assert.deepEqual([clock(bench).clock, clock(bench).safe], [8000n, 1]);
      },
    );
    assert.deepEqual([made.safe, clock(after).clock, clock(after).safe], [1, 5000n, 0]);
    after.clock.advance(3191);
    assert.equal(clock(after).safe, 0);
    after.clock.advance(1);
    assert.deepEqual([clock(after).clock, clock(after).safe], [8192n, 1]);
  });

  it("goes on with the kind of its start, which a resume wants again", () => {
    for (const [locality, rc] of [
      [3, 0],
      [0, TpmRc.LOCALITY],
    ] as const) {
      const store = createMemoryStateStore();
      const before = new Bench("before", store);
      before.engine.powerCycle();
      before.engine.locality = 3;
      before.must(commands.Startup, [], { startupType: 0 });
      assert.ok(before.engine.storeVolatile());
      const after = new Bench("after", store);
      after.engine.powerCycle();
      after.must(commands.Shutdown, [], { shutdownType: 1 });
      after.engine.forgetVolatile();
      after.engine.powerCycle();
      after.engine.locality = locality;
      assert.equal(after.run(commands.Startup, [], { startupType: 1 }).rc, rc);
    }
  });

  it("is read as it was written", () => {
    const state = volatileOf(furnished().engine, true) ?? assert.fail();
    const bytes = VolatileFile.encode(state);
    assert.deepEqual(VolatileFile.encode(VolatileFile.decode(bytes)), bytes);
    assertStrict("volatile", VolatileFile.decode, bytes);
  });

  it("that holds what no TPM does is refused, though its checksum is right", () => {
    const state = volatileOf(furnished().engine, true) ?? assert.fail();
    const [object] = state.objects;
    assert.ok(object !== undefined);
    const wrong = [
      { ...state, objects: [{ ...object, slot: 3 }] },
      { ...state, objects: [{ slot: 0, content: { kind: 1 as const } }] },
      { ...state, sessions: { ...state.sessions, loaded: [object.content] } },
    ];
    for (const one of wrong) {
      const store = createMemoryStateStore();
      store.saveVolatile(VolatileFile.encode(one));
      assert.throws(() => new Bench(1, store).engine.powerCycle(), StateDirectoryError);
    }
  });
});
