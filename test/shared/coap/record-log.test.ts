import assert from "node:assert/strict";
import fc from "fast-check";
import { RecordLog } from "../../../shared/coap/record-log.ts";

interface Kept {
  readonly place: number;
  readonly bytes: Uint8Array;
}

describe("CoAP record log", () => {
  it("keeps every record as it was added until it is dropped, in whatever order", () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.record({ size: fc.oneof(fc.nat(40), fc.nat(3_000), fc.nat(40_000)) }) },
        { weight: 2, arbitrary: fc.record({ drop: fc.nat() }) },
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, (taken) => {
        const log = new RecordLog();
        const kept: Kept[] = [];
        for (const [i, step] of taken.entries()) {
          if ("size" in step) {
            const bytes = new Uint8Array(step.size).fill(i);
            kept.push({ place: log.add(bytes), bytes });
          } else if (kept.length > 0) {
            for (const { place } of kept.splice(step.drop % kept.length, 1)) log.drop(place);
          }
          for (const { place, bytes } of kept) assert.deepEqual(log.at(place, bytes.byteLength), bytes);
        }
      }),
    );
  });

  it("does not grow while as much is dropped as added", () => {
    const log = new RecordLog();
    const places: number[] = [];
    let highest = 0;
    for (let i = 0; i < 100_000; i++) {
      const place = log.add(new Uint8Array(1 + (i % 1_000)));
      highest = Math.max(highest, place);
      places.push(place);
      const oldest = i >= 100 ? places[i - 100] : undefined;
      if (oldest !== undefined) log.drop(oldest);
    }
    assert.ok(highest < 100 * 1_000 * 2, `${highest}`);
  });
});
