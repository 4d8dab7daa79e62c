import assert from "node:assert/strict";
import { type AttestOutcome, watchToken } from "../../../attester/flows/index.ts";
import { Scheduler } from "../../../hw/clock/scheduler.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import type { Clock } from "../../../shared/ports/index.ts";
import { freshEmulator } from "../../support/tpms.ts";
import { V1AttesterScene } from "./v1-attester-scene.ts";

describe("watching by a clock that shows less than its timers can wait for", () => {
  it("comes to the next attestation all the same", async () => {
    const timers = new VirtualClock();
    timers.advance(2 ** 40); // from here on less than a quarter of a microsecond is lost
    const clock: Clock = { now: () => timers.now() - 2 ** 40, after: (ms, run) => timers.after(ms, run) };
    const end = new AbortController();
    let [attested, pings] = [0, 0];
    const attest = async (): Promise<AttestOutcome> => {
      attested++;
      return { ok: true, key: "restricted-rsa" };
    };
    const ping = async () => {
      if (++pings > 1_000) end.abort();
    };
    const options = { clock, intervalMs: 10_000.000_01, onChange: () => undefined, signal: end.signal };
    const done = watchToken({ attester: { attest }, wire: { ping }, ...options });
    await new Scheduler(timers).advance(35_000);
    assert.equal(attested, 4);
    assert.ok(pings < 50, `${pings} pings`);
    end.abort();
    await done;
  });
});

describe("watching a token", function () {
  this.timeout(60_000);
  let scene: V1AttesterScene;
  beforeEach(async () => {
    scene = await V1AttesterScene.open("strict", await freshEmulator("v1 watch"));
  });
  afterEach(() => scene.close());

  const watching = (intervalMs: number) => {
    const { attester, wire, endpoint } = scene.program();
    const told: AttestOutcome[] = [];
    const end = new AbortController();
    const { clock } = scene;
    const onChange = (verdict: AttestOutcome) => told.push(verdict);
    let plugged = 1;
    const plugs = () => plugged;
    const replug = () => {
      plugged += 1;
    };
    const done = watchToken({ attester, wire, clock, intervalMs, onChange, signal: end.signal, plugs });
    /** As Ctrl-C does. */
    const stop = () => {
      end.abort();
      endpoint.close();
      return scene.run(done);
    };
    const words = () => told.map((verdict) => (verdict.ok ? "trusted" : verdict.reason));
    return { words, told, stop, replug };
  };
  const provision = async () => {
    const { attester, endpoint } = scene.program();
    assert.ok((await scene.run(attester.provision())).ok);
    endpoint.close();
  };
  const attestations = () => scene.events.filter((event) => event.type === "attested").length;

  it("attests each interval, keeps the session in between, and tells only what changes", async () => {
    await provision();
    const watch = watching(10_000);
    await scene.advance(35_000);
    assert.deepEqual(watch.words(), ["trusted"]);
    assert.equal(attestations(), 4);
    assert.deepEqual(
      scene.events.filter((event) => event.type === "attested-sessions").map(({ count }) => count),
      [1],
      "one session that never ended",
    );
    assert.deepEqual(await watch.stop(), { ok: true, key: "restricted-rsa" });
  });

  it("tells of another boot, and of a good one after it", async () => {
    await provision();
    const watch = watching(5_000);
    await scene.advance(6_000);
    await scene.boot({ kernel: "evil" });
    await scene.advance(20_000);
    await scene.boot();
    await scene.advance(6_000);
    assert.deepEqual(watch.words(), ["trusted", "pcr-mismatch", "trusted"]);
    assert.match(watch.told[1]?.ok === false ? watch.told[1].detail : "", /PCR 17 does not hold/);
    await watch.stop();
  });

  it("notices within seconds that the token is gone, and attests as soon as it is back", async () => {
    await provision();
    const watch = watching(3_600_000);
    await scene.advance(5_000);
    assert.equal(attestations(), 1);
    await scene.unplug();
    await scene.advance(3_500);
    assert.deepEqual(watch.words(), ["trusted", "token-silent"]);
    await scene.advance(600_000);
    scene.plugIn();
    await scene.advance(3_000);
    assert.deepEqual(watch.words(), ["trusted", "token-silent", "trusted"]);
    assert.equal(attestations(), 2);
    assert.equal(scene.attested, 1);
    await scene.unplug();
    await scene.advance(20_000);
    const last = await watch.stop();
    assert.ok(last?.ok === false && last.reason === "token-silent");
    scene.plugIn();
  });

  it("tells the verdict again of a token that was away for less time than a ping takes", async () => {
    await provision();
    const watch = watching(3_600_000);
    await scene.advance(5_000);
    await scene.unplug();
    scene.plugIn();
    watch.replug();
    await scene.advance(3_000);
    assert.deepEqual(watch.words(), ["trusted", "trusted"]);
    assert.equal(attestations(), 2);
    await watch.stop();
  });

  it("waits for a token that is not there yet, and for one to which this platform is unknown", async () => {
    await scene.unplug();
    await scene.run(scene.tpm.ensureEk("rsa").then((ek) => scene.tpm.ensureAik("restricted-rsa", ek)));
    const watch = watching(4_000);
    await scene.advance(200_000);
    scene.plugIn();
    await scene.advance(3_500);
    assert.deepEqual(watch.words(), ["token-silent", "unknown-platform"]);
    await provision();
    await scene.advance(6_000);
    assert.deepEqual(watch.words(), ["token-silent", "unknown-platform", "trusted"]);
    await watch.stop();
  });

  it("ends in the middle of an attestation without a verdict", async () => {
    await provision();
    const watch = watching(4_000);
    assert.equal(await watch.stop(), undefined);
    assert.deepEqual(watch.words(), []);
  });
});
