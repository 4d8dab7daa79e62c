import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteQueue, concat } from "../../../shared/bytes/index.ts";

describe("byte queue", () => {
  it("gives what came, in any pieces, and nothing before it is whole", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.integer({ min: 0, max: 900 })), { maxLength: 60 }),
        (steps) => {
          const queue = new ByteQueue();
          let model: Uint8Array = new Uint8Array(0);
          for (const step of steps) {
            if (step instanceof Uint8Array) {
              queue.push(step);
              model = concat(model, step);
            } else {
              const expected = step <= model.byteLength ? model.slice(0, step) : undefined;
              assert.deepEqual(queue.peek(step)?.slice(), expected);
              assert.deepEqual(queue.take(step), expected);
              if (expected !== undefined) model = model.slice(step);
            }
            assert.equal(queue.size, model.byteLength);
          }
        },
      ),
    );
  });

  it("keeps what was taken from changing, and starts anew when cleared", () => {
    const queue = new ByteQueue();
    queue.push(Uint8Array.of(1, 2, 3, 4));
    const taken = queue.take(2);
    queue.push(Uint8Array.of(9, 9));
    queue.clear();
    queue.push(Uint8Array.of(7));
    assert.deepEqual(taken, Uint8Array.of(1, 2));
    assert.equal(queue.size, 1);
    assert.deepEqual(queue.take(1), Uint8Array.of(7));
  });

  it("bears a hundred thousand single bytes", () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 100_000; i++) queue.push(Uint8Array.of(i));
    assert.equal(queue.size, 100_000);
    assert.equal(queue.take(100_000)?.at(-1), 99_999 & 0xff);
  });
});
