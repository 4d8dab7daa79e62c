import assert from "node:assert/strict";
import { toHex } from "../../../../shared/bytes/index.ts";
import { commands, ekEcc, ekRsa, nameOf, TpmRh, type TpmtPublic } from "../../../../shared/tpm/index.ts";
import { Bench } from "./support.ts";

const NONE = new Uint8Array(0);

function primary(bench: Bench, hierarchy: number, inPublic: TpmtPublic, data = NONE): string {
  const { handle, response } = bench.must(commands.CreatePrimary, [hierarchy], {
    inSensitive: { userAuth: NONE, data },
    inPublic,
    outsideInfo: NONE,
    creationPCR: [],
  });
  bench.must(commands.FlushContext, [], { flushHandle: handle });
  assert.deepEqual(response.name, nameOf(response.outPublic));
  return toHex(response.name);
}

const ek = (bench: Bench) => [primary(bench, TpmRh.ENDORSEMENT, ekRsa), primary(bench, TpmRh.ENDORSEMENT, ekEcc)];

describe("the emulator's primaries", () => {
  it("are the same from the same seed, and others from another", () => {
    const first = ek(new Bench(7).start());
    assert.deepEqual(ek(new Bench(7).start()), first);
    const [rsa, ecc] = ek(new Bench(8).start());
    assert.notEqual(rsa, first[0]);
    assert.notEqual(ecc, first[1]);
  });

  it("stay the same over power cycles, orderly or not, and in another process", () => {
    const bench = new Bench(7).start();
    const first = ek(bench);
    assert.deepEqual(ek(bench.start()), first);
    bench.must(commands.Shutdown, [], { shutdownType: 0 });
    assert.deepEqual(ek(bench.start()), first);
    assert.deepEqual(ek(new Bench(99, bench.state).start()), first, "the state counts, not the randomness");
  });

  it("do not need to be remembered", () => {
    const bench = new Bench(7).start();
    const first = ek(bench);
    bench.engine.nv.primaries.length = 0;
    assert.deepEqual(ek(bench), first);
  });

  it("differ by hierarchy, template and seasoning", () => {
    const bench = new Bench(7).start();
    const names = [
      primary(bench, TpmRh.ENDORSEMENT, ekEcc),
      primary(bench, TpmRh.OWNER, ekEcc),
      primary(bench, TpmRh.PLATFORM, ekEcc),
      primary(bench, TpmRh.NULL, ekEcc),
      primary(bench, TpmRh.ENDORSEMENT, { ...ekEcc, unique: { x: new Uint8Array(32).fill(1), y: new Uint8Array(32) } }),
      primary(bench, TpmRh.ENDORSEMENT, ekEcc, new Uint8Array([1])),
    ];
    assert.equal(new Set(names).size, names.length);
    assert.notEqual(primary(bench.start(), TpmRh.NULL, ekEcc), names[3], "the NULL hierarchy ends with the power");
  });
});

describe("the emulator's answers", () => {
  /** A day in the life, as bytes. */
  function life(seed: number): string[] {
    const bench = new Bench(seed).start();
    const answers: string[] = [];
    const execute = bench.engine.execute.bind(bench.engine);
    bench.engine.execute = (command) => {
      const answer = execute(command);
      answers.push(toHex(answer));
      return answer;
    };
    ek(bench);
    bench.must(commands.GetRandom, [], { bytesRequested: 32 });
    bench.clock.advance(10_000);
    bench.must(commands.ReadClock, [], {});
    bench.must(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], {
      nonceCaller: new Uint8Array(32),
      encryptedSalt: NONE,
      sessionType: 1,
      symmetric: { algorithm: 0x10 },
      authHash: 0x0b,
    });
    return answers;
  }

  it("are the same bytes from the same seed", () => {
    assert.deepEqual(life(3), life(3));
    assert.notDeepEqual(life(3), life(4));
  });
});
