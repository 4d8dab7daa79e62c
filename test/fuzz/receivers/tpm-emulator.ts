import assert from "node:assert/strict";
import { encode, Reader, u32be } from "../../../shared/bytes/index.ts";
import { commands } from "../../../shared/tpm/index.ts";
import { furnished, seeds } from "../../hw/tpm/emulator/seeds.ts";
import { dictionary } from "../dictionary.ts";
import { receiver } from "./receiver.ts";

/** With the size field right, so that what is behind the header is looked at. */
function sized(input: Uint8Array): Uint8Array {
  if (input.byteLength < 10 || input[9] === 0xff) return input;
  const right = input.slice();
  right.set(encode(u32be, right.byteLength), 2);
  if (input[0] !== 0x80) right.set([0x80, 0x02], 0);
  return right;
}

/** Taken are commands that succeed; every one is answered, and afterwards the emulator does its work. */
export const tpmEmulator = receiver(
  "TPM emulator",
  seeds,
  () => {
    let bench = furnished();
    let count = 0;
    return {
      take(input) {
        // Slots and sessions fill up and keys get lost: begin anew now and then, with power cycles between.
        if (++count % 250 === 0) {
          assert.deepEqual(bench.errors, []);
          bench = furnished();
        } else if (count % 50 === 0) bench.start();
        const answer = bench.engine.execute(sized(input));
        const from = new Reader(answer);
        from.u16be();
        assert.equal(from.u32be(), answer.byteLength);
        return from.u32be() === 0;
      },
      end() {
        assert.deepEqual(bench.errors, []);
        bench.start();
        assert.equal(bench.must(commands.GetRandom, [], { bytesRequested: 16 }).response.randomBytes.byteLength, 16);
      },
    };
  },
  dictionary.tpm,
);
