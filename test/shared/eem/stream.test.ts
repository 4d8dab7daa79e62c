import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, encode, Reader } from "../../../shared/bytes/index.ts";
import { createEemLink, EemCommand, EemPacket, EemReceiver, EemSender } from "../../../shared/eem/index.ts";
import { frameLinkContract, frameOf } from "../../contract/frame-link.ts";
import { seededRandom } from "../../support/random.ts";

const data = (size: number, crc: "real" | "sentinel" = "real"): EemPacket => ({
  kind: "data",
  crc,
  frame: frameOf(size),
});
const wire = (...packets: readonly EemPacket[]) => concat(...packets.map((packet) => encode(EemPacket, packet)));
const ECHO: EemPacket = { kind: "echo", data: Uint8Array.of(1, 2, 3) };
const TICKLE: EemPacket = { kind: "command", command: EemCommand.Tickle, parameter: 0 };
const ZERO: EemPacket = { kind: "zero-length" };

/** `bytes` in pieces that end at `cuts`. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const from = new Reader(bytes);
  const ends = [...cuts, bytes.byteLength].sort((a, b) => a - b);
  let at = 0;
  return ends.map((end) => {
    const piece = from.bytes(end - at);
    at = end;
    return piece;
  });
}

const feedAll = (receiver: EemReceiver, chunks: readonly Uint8Array[]) =>
  chunks.flatMap((chunk) => receiver.feed(chunk));

/** As USB packets of 64 bytes, the last one shorter. */
const feedTransfer = (receiver: EemReceiver, transfer: Uint8Array) => {
  const ends = Array.from({ length: Math.floor(transfer.byteLength / 64) }, (_, i) => 64 * (i + 1));
  return feedAll(receiver, pieces(transfer, ends));
};

describe("EEM receiver", () => {
  const packets = [data(40), ECHO, data(0, "sentinel"), TICKLE, data(63)];
  const stream = wire(data(40), ECHO, ZERO, data(0, "sentinel"), TICKLE, ZERO, data(63));

  it("takes packets joined in one transfer, and skips those of zero length", () => {
    const receiver = new EemReceiver();
    assert.deepEqual(receiver.feed(stream), packets);
    assert.deepEqual(receiver.counters, { packets: 5, zeroLength: 2, wrongCrc: 0, malformed: 0, abandoned: 0 });
  });

  it("takes packets split at every byte", () => {
    for (let cut = 0; cut <= stream.byteLength; cut++) {
      assert.deepEqual(feedAll(new EemReceiver(), pieces(stream, [cut])), packets, `cut at ${cut}`);
      assert.deepEqual(
        feedAll(new EemReceiver({ usbPacketBytes: 64 }), pieces(stream, [cut])),
        packets,
        `cut at ${cut}`,
      );
    }
  });

  it("takes packets split at every two bytes, and byte by byte", () => {
    for (let one = 0; one <= stream.byteLength; one += 3) {
      for (let two = one; two <= stream.byteLength; two++) {
        assert.deepEqual(feedAll(new EemReceiver(), pieces(stream, [one, two])), packets, `cuts at ${one} and ${two}`);
      }
    }
    const bytewise = pieces(stream, [...stream.keys()]);
    assert.deepEqual(feedAll(new EemReceiver(), bytewise), packets);
  });

  it("takes any packets, split anywhere, in chunks of any kind", () => {
    const onePacket = fc.oneof(
      fc.integer({ min: 0, max: 1_500 }).map((size) => data(size)),
      fc.integer({ min: 0, max: 100 }).map((size) => data(size, "sentinel")),
      fc.constantFrom(ECHO, TICKLE),
    );
    fc.assert(
      fc.property(
        fc.array(onePacket, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (sent, cuts, usb) => {
          const bytes = wire(...sent);
          const receiver = new EemReceiver(usb ? { usbPacketBytes: 64 } : {});
          const chunks = pieces(
            bytes,
            cuts.map((cut) => cut % (bytes.byteLength + 1)),
          );
          assert.deepEqual(feedAll(receiver, chunks), sent);
        },
      ),
    );
  });

  it("skips one packet with a wrong CRC", () => {
    const receiver = new EemReceiver();
    const bad = wire(data(20));
    bad[10] = (bad[10] ?? 0) ^ 1;
    assert.deepEqual(receiver.feed(concat(bad, wire(ECHO))), [ECHO]);
    assert.equal(receiver.counters.wrongCrc, 1);
  });

  it("gives up a transfer with an impossible header, and goes on with the next", () => {
    const receiver = new EemReceiver();
    assert.deepEqual(receiver.feed(concat(wire(TICKLE), Uint8Array.of(0xff, 0x3f), wire(ECHO))), [TICKLE]);
    assert.deepEqual(receiver.feed(wire(ECHO)), [ECHO]);
    assert.equal(receiver.counters.malformed, 1);
  });

  it("finds the end of a transfer that comes as USB packets", () => {
    const receiver = new EemReceiver({ usbPacketBytes: 64 });
    const garbage = new Uint8Array(64).fill(0xff);
    assert.deepEqual(receiver.feed(garbage), []);
    assert.deepEqual(receiver.feed(concat(wire(data(44)))), [], "still the same transfer");
    assert.deepEqual(receiver.feed(new Uint8Array(0)), [], "a zero-length USB packet ends it");
    assert.deepEqual(receiver.feed(wire(ECHO)), [ECHO]);
  });

  it("takes the begin of a packet for a leftover when the next transfer does not continue it", () => {
    const receiver = new EemReceiver();
    assert.deepEqual(receiver.feed(wire(data(30)).slice(0, 20)), []);
    assert.deepEqual(receiver.feed(wire(data(100), ECHO)), [data(100), ECHO]);
    assert.equal(receiver.counters.abandoned, 1);
    assert.deepEqual(receiver.feed(Uint8Array.of(0xff)), []);
    assert.deepEqual(receiver.feed(wire(data(5), ECHO)), [data(5), ECHO], "ff 17 is no length");
    assert.equal(receiver.counters.abandoned, 2);
  });

  it("does so also when the transfer comes as USB packets, and the leftover's end is known only in a later one", () => {
    for (const leftover of [1, 30, 100, 190]) {
      const receiver = new EemReceiver({ usbPacketBytes: 64 });
      assert.deepEqual(feedTransfer(receiver, wire(data(200)).slice(0, leftover)), []);
      assert.deepEqual(feedTransfer(receiver, wire(data(300), ECHO)), [data(300), ECHO], `${leftover} bytes`);
      assert.deepEqual(receiver.counters, { packets: 2, zeroLength: 0, wrongCrc: 0, malformed: 0, abandoned: 1 });
      assert.deepEqual(feedTransfer(receiver, wire(data(100))), [data(100)]);
    }
  });

  it("goes on with a packet of an earlier transfer in any number of USB packets, and judges those behind it by themselves", () => {
    const receiver = new EemReceiver({ usbPacketBytes: 64 });
    const bad = wire(data(20));
    bad[10] = (bad[10] ?? 0) ^ 1;
    const rest = concat(wire(data(200)).slice(100), bad, wire(ECHO));
    assert.deepEqual(receiver.feed(wire(data(200)).slice(0, 100)), []);
    assert.deepEqual(feedTransfer(receiver, rest), [data(200), ECHO]);
    assert.deepEqual(receiver.counters, { packets: 2, zeroLength: 0, wrongCrc: 1, malformed: 0, abandoned: 0 });
  });

  it("forgets what is under way when reset", () => {
    const receiver = new EemReceiver();
    receiver.feed(wire(data(30)).slice(0, 20));
    receiver.reset();
    assert.deepEqual(receiver.feed(wire(ECHO)), [ECHO]);
    assert.equal(receiver.counters.abandoned, 0);
  });

  it("always recovers: behind any garbage, packets come through again", () => {
    const random = seededRandom(2);
    const receiver = new EemReceiver({ usbPacketBytes: 64 });
    for (let round = 0; round < 500; round++) {
      const size = (random.bytes(1)[0] ?? 0) * 8 + 1;
      receiver.feed(random.bytes(size));
      let got = 0;
      for (let i = 0; i < 4; i++) got = receiver.feed(wire(data(1_400))).length;
      assert.equal(got, 1, `after garbage ${round}`);
    }
  });

  it("keeps its own copy", () => {
    const chunk = wire(data(10));
    const [packet] = new EemReceiver().feed(chunk);
    chunk.fill(0);
    assert.deepEqual(packet, data(10));
  });
});

describe("EEM sender", () => {
  it("never splits a packet, never exceeds 1524 bytes, never ends on a full USB packet", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(sizes, fc.boolean(), (all, bundle) => {
        const sender = new EemSender({ bundle });
        for (const size of all) assert.ok(sender.push(data(size)));
        const got: EemPacket[] = [];
        for (let transfer = sender.take(); transfer !== undefined; transfer = sender.take()) {
          assert.ok(transfer.byteLength <= 1_524 && transfer.byteLength % 64 !== 0, `${transfer.byteLength}`);
          const packets = new EemReceiver().feed(transfer); // a fresh one: each transfer stands for itself
          assert.ok(packets.length === 1 || bundle);
          got.push(...packets);
        }
        assert.equal(sender.pending, false);
        assert.deepEqual(got, all.map((size) => data(size))); // biome-ignore format: one line, one claim
      }),
    );
  });

  it("pads exactly where the transfer would be a multiple of 64", () => {
    for (let size = 0; size <= 1_500; size++) {
      const sender = new EemSender();
      sender.push(data(size));
      const bytes = 2 + 14 + size + 4;
      assert.equal(sender.take()?.byteLength, bytes % 64 === 0 ? bytes + 2 : bytes);
    }
  });

  it("hands a transfer out in parts when asked for less", () => {
    const sender = new EemSender();
    sender.push(data(300));
    sender.push(ECHO);
    const receiver = new EemReceiver({ usbPacketBytes: 64 });
    const got: EemPacket[] = [];
    const sizes: number[] = [];
    for (let part = sender.take(64); part !== undefined; part = sender.take(64)) {
      sizes.push(part.byteLength);
      got.push(...receiver.feed(part));
    }
    assert.deepEqual(sizes, [64, 64, 64, 64, 64, 2, 5].slice(0, sizes.length));
    assert.deepEqual(got, [data(300), ECHO]);
  });

  it("drops the oldest when nobody fetches, and counts", () => {
    const sender = new EemSender({ maxQueued: 3, bundle: false });
    for (let size = 0; size < 10; size++) sender.push(data(size));
    assert.equal(sender.lost, 7);
    const transfers = [sender.take(), sender.take(), sender.take(), sender.take()];
    assert.deepEqual(
      transfers.map((transfer) => transfer && new EemReceiver().feed(transfer)[0]),
      [data(7), data(8), data(9), undefined],
    );
  });

  it("refuses what fits no transfer", () => {
    const sender = new EemSender();
    assert.equal(sender.push({ kind: "echo-response", data: new Uint8Array(1_523) }), false);
    assert.equal(sender.push({ kind: "echo-response", data: new Uint8Array(1_522) }), true);
    sender.reset();
    assert.equal(sender.take(), undefined);
  });
});

function joined(crc: "real" | "sentinel" = "real", chunkBytes = 1_524, maxQueued = 64) {
  let moving = false;
  const pump = () => {
    if (moving) return;
    moving = true;
    for (;;) {
      const toB = a.take(chunkBytes);
      if (toB !== undefined) b.feed(toB);
      const toA = b.take(chunkBytes);
      if (toA !== undefined) a.feed(toA);
      if (toA === undefined && toB === undefined) break;
    }
    moving = false;
  };
  const a = createEemLink({ crc, chunked: true, maxQueued, onPending: pump });
  const b = createEemLink({ crc, chunked: true, maxQueued, onPending: pump });
  a.setUp(true);
  b.setUp(true);
  return { a, b };
}

for (const [name, ends] of [
  ["EEM, real CRC", () => joined()],
  ["EEM, sentinel, USB packet by USB packet", () => joined("sentinel", 64)],
] as const) {
  frameLinkContract(name, () => {
    const { a, b } = ends();
    return { a: a.link, b: b.link, settle: () => undefined };
  });
}

describe("EEM link", () => {
  it("answers an echo with an echo response", () => {
    const end = createEemLink({ onPending: () => undefined });
    end.setUp(true);
    end.feed(wire(ECHO, TICKLE, { kind: "command", command: 7, parameter: 9 }));
    assert.deepEqual(end.take(), wire({ kind: "echo-response", data: Uint8Array.of(1, 2, 3) }));
    end.feed(wire({ kind: "echo-response", data: Uint8Array.of(1) }));
    assert.equal(end.take(), undefined);
    end.feed(wire({ kind: "echo", data: new Uint8Array(1_600) }));
    assert.equal(end.take(), undefined);
    assert.equal(end.counters.tooLong, 1);
  });

  it("takes nothing while down, and forgets what is under way", () => {
    const end = createEemLink({ onPending: () => undefined });
    end.link.onFrame(() => assert.fail("down"));
    end.link.send(frameOf(5));
    end.feed(wire(data(5)));
    assert.equal(end.counters.refused, 1);
    end.setUp(true);
    end.link.send(frameOf(5));
    assert.equal(end.pending, true);
    end.setUp(false);
    end.setUp(true);
    assert.equal(end.take(), undefined);
  });

  it("speaks the sentinel when told to", () => {
    const end = createEemLink({ crc: "sentinel", onPending: () => undefined });
    end.setUp(true);
    end.link.send(frameOf(5));
    assert.deepEqual(end.take(), wire(data(5, "sentinel")));
  });
});
