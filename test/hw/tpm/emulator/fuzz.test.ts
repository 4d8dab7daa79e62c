import assert from "node:assert/strict";
import { CodecError, encode, Reader, u32be } from "../../../../shared/bytes/index.ts";
import { commands } from "../../../../shared/tpm/index.ts";
import { fuzzDecoder } from "../../../support/fuzz.ts";
import { furnished, seeds } from "./seeds.ts";

/** With the size field right, so that what is behind the header is looked at. */
function sized(input: Uint8Array): Uint8Array {
  if (input.byteLength < 10 || input[9] === 0xff) return input;
  const right = input.slice();
  right.set(encode(u32be, right.byteLength), 2);
  if (input[0] !== 0x80) right.set([0x80, 0x02], 0);
  return right;
}

describe("the emulator under malformed commands", () => {
  it("answers every one, fails at none, and does its work afterwards", function () {
    this.timeout(600_000);
    let bench = furnished();
    let count = 0;
    const errors: string[] = [];
    fuzzDecoder(
      "TPM commands",
      (input) => {
        // Slots and sessions fill up and keys get lost: begin anew now and then, with power cycles between.
        if (++count % 250 === 0) {
          errors.push(...bench.errors);
          bench = furnished();
        } else if (count % 50 === 0) bench.start();
        const answer = bench.engine.execute(sized(input));
        const from = new Reader(answer);
        from.u16be();
        assert.equal(from.u32be(), answer.byteLength);
        if (from.u32be() !== 0) throw new CodecError("refused", "", 0);
      },
      seeds,
    );
    assert.deepEqual([...errors, ...bench.errors], []);
    bench.start();
    assert.equal(bench.must(commands.GetRandom, [], { bytesRequested: 16 }).response.randomBytes.byteLength, 16);
  });

  it("knows most of the seeds as good", () => {
    const bench = furnished();
    const refused = seeds.filter((seed) => new Reader(bench.engine.execute(seed).subarray(6)).u32be() !== 0).length;
    assert.ok(refused < seeds.length / 2, `${refused} of ${seeds.length} refused`);
  });
});
