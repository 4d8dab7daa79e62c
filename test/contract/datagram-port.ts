import assert from "node:assert/strict";
import type { DatagramPort, Peer } from "../../shared/ports/index.ts";

/** Two ports that reach each other. `until` lets datagrams arrive until `done` says yes, or fails the test. */
export interface PortPair {
  readonly a: DatagramPort;
  readonly b: DatagramPort;
  until(done: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** What every DatagramPort keeps. */
export function datagramPortContract(name: string, make: () => Promise<PortPair>): void {
  describe(`DatagramPort: ${name}`, () => {
    let pair: PortPair;
    beforeEach(async () => {
      pair = await make();
    });
    afterEach(() => pair.close());

    const collect = (port: DatagramPort) => {
      const got: { data: Uint8Array; from: Peer }[] = [];
      const leave = port.onDatagram((data, from) => got.push({ data: data.slice(), from }));
      return { got, leave };
    };

    it("carries datagrams with their sender, the empty one too", async () => {
      const { a, b, until } = pair;
      const { got } = collect(b);
      const sizes = [0, 1, 18, 1024, 1472];
      for (const size of sizes) {
        a.send(new Uint8Array(size).fill(size), b.local);
        await until(() => got.length > 0 && got.at(-1)?.data.byteLength === size);
      }
      assert.deepEqual(got, sizes.map((size) => ({ data: new Uint8Array(size).fill(size), from: a.local }))); // biome-ignore format: one line, one claim
    });

    it("lets the receiver answer the sender", async () => {
      const { a, b, until } = pair;
      const { got } = collect(a);
      b.onDatagram((data, from) => b.send(data, from));
      a.send(Uint8Array.of(1, 2, 3), b.local);
      await until(() => got.length === 1);
      assert.deepEqual(got, [{ data: Uint8Array.of(1, 2, 3), from: b.local }]);
    });

    it("names its own address and port", () => {
      const { a, b } = pair;
      for (const { local } of [a, b]) {
        assert.match(local.address, /^\d+\.\d+\.\d+\.\d+$/);
        assert.ok(local.port > 0 && local.port < 65_536);
      }
    });

    it("tells nothing to a listener that left", async () => {
      const { a, b, until } = pair;
      const gone = collect(b);
      const there = collect(b);
      gone.leave();
      gone.leave();
      a.send(Uint8Array.of(1), b.local);
      await until(() => there.got.length === 1);
      assert.equal(gone.got.length, 0);
    });

    it("survives sending to a closed port, to port 0, and after close", async () => {
      const { a, b, until } = pair;
      const { got } = collect(a);
      await b.close();
      a.send(Uint8Array.of(1), b.local);
      a.send(Uint8Array.of(1), { ...b.local, port: 0 });
      b.send(Uint8Array.of(2), a.local);
      b.send(Uint8Array.of(2), a.local);
      await b.close();
      let turns = 0;
      await until(() => ++turns > 3);
      assert.equal(got.length, 0);
    });

    it("refuses an address that is not dotted", () => {
      const { a } = pair;
      assert.throws(() => a.send(new Uint8Array(1), { address: "localhost", port: 5683 }), RangeError);
    });
  });
}
