import assert from "node:assert/strict";
import type { FrameLink } from "../../shared/ports/index.ts";

/** Two ends that hear each other; `settle` lets everything under way arrive. */
export interface LinkPair {
  readonly a: FrameLink;
  readonly b: FrameLink;
  settle(): void | Promise<void>;
}

/** An Ethernet frame with `size` bytes behind its header, each the low byte of `fill` plus its place. */
export function frameOf(size: number, fill = 0): Uint8Array {
  return Uint8Array.from({ length: 14 + size }, (_, i) => (fill + i) & 0xff);
}

/** What every FrameLink keeps. */
export function frameLinkContract(name: string, make: () => LinkPair): void {
  describe(`FrameLink: ${name}`, () => {
    const collect = (link: FrameLink) => {
      const frames: Uint8Array[] = [];
      const leave = link.onFrame((frame) => frames.push(frame.slice()));
      return { frames, leave };
    };

    it("carries frames of every size up to its MTU, whole, in order, both ways", async () => {
      const { a, b, settle } = make();
      const atA = collect(a);
      const atB = collect(b);
      const sizes = [...Array(140).keys(), a.mtu - 64, a.mtu - 1, a.mtu];
      for (const size of sizes) {
        a.send(frameOf(size, 1));
        b.send(frameOf(size, 2));
        await settle();
      }
      assert.deepEqual(atB.frames, sizes.map((size) => frameOf(size, 1))); // biome-ignore format: one line, one claim
      assert.deepEqual(atA.frames, sizes.map((size) => frameOf(size, 2))); // biome-ignore format: as above
    });

    it("carries a burst", async () => {
      const { a, b, settle } = make();
      const { frames } = collect(b);
      const sent = Array.from({ length: 10 }, (_, i) => frameOf(100 + i, i));
      for (const frame of sent) a.send(frame);
      await settle();
      assert.deepEqual(frames, sent);
    });

    it("has sent what the frame was at the time of sending", async () => {
      const { a, b, settle } = make();
      const { frames } = collect(b);
      const frame = frameOf(50);
      a.send(frame);
      frame.fill(0xee);
      await settle();
      assert.deepEqual(frames, [frameOf(50)]);
    });

    it("tells every listener, and none after it left", async () => {
      const { a, b, settle } = make();
      const first = collect(b);
      const second = collect(b);
      a.send(frameOf(1));
      await settle();
      first.leave();
      first.leave();
      a.send(frameOf(2));
      await settle();
      assert.equal(first.frames.length, 1);
      assert.equal(second.frames.length, 2);
    });

    it("handles one frame fully before the next when listeners answer at once", async () => {
      const { a, b, settle } = make();
      let inside = 0;
      const seen: number[] = [];
      b.onFrame((frame) => {
        inside += 1;
        assert.equal(inside, 1, "a frame was delivered inside the handling of another");
        seen.push(frame.byteLength);
        if (frame.byteLength < 40) b.send(frame);
        if (frame.byteLength < 40) b.send(frame);
        inside -= 1;
      });
      a.onFrame((frame) => {
        if (seen.length < 20) a.send(frameOf(frame.byteLength - 14 + 1));
      });
      a.send(frameOf(0));
      await settle();
      assert.ok(seen.length >= 20, `${seen.length}`);
    });

    it("is silent after close, which may be called twice", async () => {
      const { a, b, settle } = make();
      const atB = collect(b);
      const atA = collect(a);
      await a.close();
      await a.close();
      a.send(frameOf(3));
      b.send(frameOf(3));
      await settle();
      assert.deepEqual([atA.frames.length, atB.frames.length], [0, 0]);
    });

    it("loses a frame over the MTU instead of cutting it", async () => {
      const { a, b, settle } = make();
      const { frames } = collect(b);
      a.send(frameOf(a.mtu + 100));
      a.send(frameOf(7));
      await settle();
      assert.deepEqual(frames, [frameOf(7)]);
    });
  });
}
