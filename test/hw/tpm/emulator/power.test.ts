import assert from "node:assert/strict";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../../hw/tpm/emulator/index.ts";
import { Reader } from "../../../../shared/bytes/index.ts";
import { commands, encodeCommand, TpmRc, TpmRh } from "../../../../shared/tpm/index.ts";
import { seededRandom } from "../../../support/random.ts";
import { Bench, POLICY_SESSION } from "./support.ts";

const clockOf = (bench: Bench) => bench.must(commands.ReadClock, [], {}).response.currentTime;
const shutDown = (bench: Bench) => bench.must(commands.Shutdown, [], { shutdownType: 0 });

describe("the emulator's clock", () => {
  it("counts milliseconds since power and since ever", () => {
    const bench = new Bench().start();
    bench.clock.advance(1234);
    assert.deepEqual(clockOf(bench), {
      time: 1234n,
      clockInfo: { clock: 1234n, resetCount: 1, restartCount: 0, safe: 1 },
    });
  });

  it("is unsafe after a cut until it crosses a step of 4096 ms, and goes back to the step before", () => {
    const bench = new Bench().start();
    bench.clock.advance(5000);
    clockOf(bench);
    bench.clock.advance(2000);
    clockOf(bench);
    bench.start();
    assert.deepEqual(clockOf(bench).clockInfo, { clock: 5000n, resetCount: 2, restartCount: 0, safe: 0 });
    bench.clock.advance(3191);
    assert.equal(clockOf(bench).clockInfo.safe, 0, "8191");
    bench.clock.advance(1);
    assert.equal(clockOf(bench).clockInfo.safe, 1, "8192");
  });

  it("an orderly shutdown keeps the clock and its safety, whatever that is", () => {
    const bench = new Bench().start();
    bench.clock.advance(100);
    shutDown(bench);
    bench.start();
    assert.deepEqual(clockOf(bench).clockInfo, { clock: 100n, resetCount: 2, restartCount: 0, safe: 1 });
    bench.start();
    assert.equal(clockOf(bench).clockInfo.safe, 0, "after a cut");
    shutDown(bench);
    bench.start();
    assert.equal(clockOf(bench).clockInfo.safe, 0, "orderly, but before the step");
  });

  it("goes on in another emulator over the same state", () => {
    const bench = new Bench().start();
    bench.clock.advance(9000);
    shutDown(bench);
    const second = new Bench(2, bench.state).start();
    assert.deepEqual(clockOf(second).clockInfo, { clock: 9000n, resetCount: 2, restartCount: 0, safe: 1 });
  });
});

describe("policies that expire", () => {
  const NONE = new Uint8Array(0);

  /** Code of an authorization for so many seconds, in a session that starts after 10 s, at 12.5 s; as swtpm has it. */
  function secret(expiration: number, withNonce: boolean): number {
    const bench = new Bench().start();
    bench.clock.advance(10_000);
    const { handle, response } = bench.must(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], POLICY_SESSION);
    bench.clock.advance(2500);
    const nonceTPM = withNonce ? response.nonceTPM : NONE;
    const parameters = { nonceTPM, cpHashA: NONE, policyRef: NONE, expiration };
    return bench.run(commands.PolicySecret, [TpmRh.ENDORSEMENT, handle], parameters).rc;
  }

  const EXPIRED = TpmRc.EXPIRED + 0x440; // parameter 4

  it("count from the start of the session with its nonce, from that of the TPM without", () => {
    for (const sign of [1, -1]) {
      assert.deepEqual(
        [2, 3, 12].map((seconds) => secret(sign * seconds, true)),
        [EXPIRED, 0, 0],
      );
      assert.deepEqual(
        [2, 11, 12, 13].map((seconds) => secret(sign * seconds, false)),
        [EXPIRED, EXPIRED, 0, 0],
      );
    }
  });
});

describe("the emulator's power", () => {
  const getRandom = encodeCommand({
    commandCode: commands.GetRandom.code,
    handles: [],
    sessions: [],
    parameters: new Uint8Array([0, 8]),
  });
  const startup = encodeCommand({
    commandCode: commands.Startup.code,
    handles: [],
    sessions: [],
    parameters: new Uint8Array([0, 0]),
  });
  const make = () => createTpmEmulator({ random: seededRandom(1), clock: new VirtualClock() });
  const codeOf = (response: Uint8Array) => new Reader(response.subarray(6)).u32be();

  it("is off at first, then wants TPM2_Startup", async () => {
    const { transport, platform } = make();
    assert.equal(codeOf(await transport.send(getRandom)), TpmRc.FAILURE);
    await assert.rejects(platform.hashSequence(new Uint8Array(1)), /no power/);
    await platform.power("on");
    assert.equal(codeOf(await transport.send(getRandom)), TpmRc.INITIALIZE);
    assert.equal(codeOf(await transport.send(startup)), TpmRc.SUCCESS);
    await platform.power("on");
    assert.equal(codeOf(await transport.send(getRandom)), TpmRc.SUCCESS, "power on power changes nothing");
    await platform.power("cut");
    assert.equal(codeOf(await transport.send(getRandom)), TpmRc.INITIALIZE);
  });

  it("knows localities 0 to 4, and is at 0 after a power cycle", async () => {
    const { platform, transport } = make();
    for (const bad of [-1, 5, 1.5]) await assert.rejects(platform.setLocality(bad), RangeError);
    await platform.power("on");
    await platform.setLocality(2);
    await platform.power("cut");
    assert.equal(codeOf(await transport.send(startup)), TpmRc.SUCCESS, "TPM2_Startup at locality 2 is refused");
  });

  it("settles in microtasks, and rejects when closed or aborted", async () => {
    const { transport } = make();
    let settled = false;
    transport.send(getRandom).then(() => {
      settled = true;
    });
    await Promise.resolve();
    await Promise.resolve();
    assert.ok(settled);
    await assert.rejects(transport.send(getRandom, AbortSignal.abort()), { name: "AbortError" });
    await transport.close();
    await transport.close();
    await assert.rejects(transport.send(getRandom), /closed/);
  });
});
