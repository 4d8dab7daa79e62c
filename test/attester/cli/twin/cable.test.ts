import assert from "node:assert/strict";
import { createCable } from "../../../../attester/cli/twin/cable.ts";
import { createMemoryLinkPair } from "../../../../hw/net/memory.ts";

describe("twin: the cable", () => {
  it("carries frames to and from the stick that is there, and from no other", () => {
    const cable = createCable(1500);
    const arrived: string[] = [];
    cable.link.onFrame((frame) => arrived.push(`computer ${frame[0]}`));
    const sticks = [1, 2].map((number) => {
      const [near, far] = createMemoryLinkPair();
      far.onFrame((frame) => arrived.push(`stick ${number} ${frame[0]}`));
      return { near, far };
    });
    const [first, second] = sticks;
    assert.ok(first !== undefined && second !== undefined);
    cable.link.send(Uint8Array.of(1)); // to nobody
    cable.connect(first.near);
    cable.link.send(Uint8Array.of(2));
    first.far.send(Uint8Array.of(3));
    cable.connect(second.near);
    first.far.send(Uint8Array.of(4));
    cable.link.send(Uint8Array.of(5));
    second.far.send(Uint8Array.of(6));
    cable.disconnect();
    cable.link.send(Uint8Array.of(7));
    second.far.send(Uint8Array.of(8));
    assert.deepEqual(arrived, ["stick 1 2", "computer 3", "stick 2 5", "computer 6"]);
  });
});
