import assert from "node:assert/strict";
import { openUdpPort } from "../../../hw/net/udp.ts";
import { datagramPortContract } from "../../contract/datagram-port.ts";

datagramPortContract("UDP socket", async () => {
  const a = await openUdpPort("127.0.0.1", 0);
  const b = await openUdpPort("127.0.0.1", 0);
  return {
    a,
    b,
    async until(done) {
      while (!done()) await new Promise((resolve) => setImmediate(resolve)); // mocha's timeout ends it
    },
    close: async () => {
      await a.close();
      await b.close();
    },
  };
});

describe("openUdpPort", () => {
  it("says which port is taken, and by what error", async () => {
    const first = await openUdpPort("127.0.0.1", 0);
    const { port } = first.local;
    await assert.rejects(openUdpPort("127.0.0.1", port), (error: Error) => {
      assert.equal(error.message, `UDP port ${port} of 127.0.0.1 is taken by another program (EADDRINUSE)`);
      assert.ok(error.cause instanceof Error);
      return true;
    });
    await first.close();
  });

  it("says that no interface has the address", async () => {
    await assert.rejects(
      openUdpPort("192.0.2.1", 0),
      /no interface of this machine has that address \(EADDRNOTAVAIL\)/,
    );
  });

  it("logs what could not be sent, with the address", async () => {
    const tooLarge = new Uint8Array(70_000);
    const logged = await new Promise<unknown>((resolve) => {
      const log = { write: (level: string, message: string, facts: unknown) => resolve({ level, message, facts }) };
      void openUdpPort("127.0.0.1", 0, log).then(async (port) => {
        port.send(tooLarge, { address: "127.0.0.2", port: 9 });
        await port.close();
      });
    });
    const facts = { error: "send EMSGSIZE 127.0.0.2:9" };
    assert.deepEqual(logged, { level: "debug", message: "UDP datagram not sent", facts });
    const silent = await openUdpPort("127.0.0.1", 0);
    silent.send(tooLarge, { address: "127.0.0.2", port: 9 });
    await silent.close();
  });

  it("refuses a name", async () => {
    await assert.rejects(openUdpPort("localhost", 0), RangeError);
  });
});
