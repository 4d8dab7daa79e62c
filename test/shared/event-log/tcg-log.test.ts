import assert from "node:assert/strict";
import { CodecError, concat, encode, toHex, u32le } from "../../../shared/bytes/index.ts";
import {
  decodeTcgLog,
  EventType,
  encodeTcgLog,
  MAX_EVENTS,
  replayLog,
  type TcgLog,
} from "../../../shared/event-log/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { hex } from "../../fuzz/decoder.ts";
import { APU2_LAUNCHES, agileLog, drtmLog, eventOf, FIRMWARE_EVENTS, sha1Log } from "../../support/event-logs.ts";

const sha1Events = FIRMWARE_EVENTS.map((event) => ({ ...event, digests: event.digests.slice(0, 1) }));
const logs: readonly (readonly [name: string, log: TcgLog])[] = [
  ["SHA-1", sha1Log(sha1Events)],
  ["crypto-agile", agileLog(FIRMWARE_EVENTS)],
  ["DRTM", drtmLog(APU2_LAUNCHES[0]?.events ?? [])],
];

/** Header and one separator, byte by byte as the standard lays them out. */
const BY_HAND = hex(
  `00000000 03000000 ${"00".repeat(20)} 25000000
   53706563204944204576656e743033 00 00000000 00 02 00 02 02000000 0400 1400 0b00 2000 00
   04000000 04000000 02000000
   0400 9069ca78e7450a285173431b3e52c5c25299e473
   0b00 df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119
   04000000 00000000`,
);

describe("TCG event log", () => {
  it("is read and written byte by byte as the standard says", () => {
    const log = decodeTcgLog(BY_HAND);
    assert.equal(log.format, "crypto-agile");
    assert.deepEqual(log.events, [eventOf(4, EventType.SEPARATOR, hex("00000000"))]);
    assert.equal(toHex(encodeTcgLog(log)), toHex(BY_HAND));
    assert.equal(toHex(encodeTcgLog(agileLog(log.events))), toHex(BY_HAND));
  });

  it("has a number of events at most, however short they are", () => {
    const event = encodeTcgLog(
      sha1Log([{ ...eventOf(1, EventType.SEPARATOR, ""), digests: sha1Events[0]?.digests ?? [] }]),
    );
    const file = new Uint8Array((MAX_EVENTS + 1) * event.byteLength);
    for (let at = 0; at < file.byteLength; at += event.byteLength) file.set(event, at);
    assert.equal(decodeTcgLog(file.subarray(event.byteLength)).events.length, MAX_EVENTS);
    assert.throws(() => decodeTcgLog(file), /CodecError: TCG log: more than 524288 events/);
  }).timeout(30_000);

  for (const [name, log] of logs) {
    const file = encodeTcgLog(log);

    it(`${name}: comes back as it was`, () => {
      const back = decodeTcgLog(file);
      assert.equal(back.format, log.format);
      assert.deepEqual(back.events, log.events);
      assert.deepEqual(back.algorithms, log.algorithms);
      assert.equal(toHex(encodeTcgLog(back)), toHex(file));
    });

    it(`${name}: every prefix is refused, or is a log of fewer whole events`, () => {
      let accepted = 0;
      for (let size = 0; size < file.byteLength; size++) {
        try {
          const { events } = decodeTcgLog(file.subarray(0, size));
          assert.deepEqual(events, log.events.slice(0, events.length));
          assert.equal(encodeTcgLog({ ...log, events }).byteLength, size);
          accepted++;
        } catch (error) {
          assert.ok(error instanceof CodecError, String(error));
        }
      }
      // A DRTM log says how long it is; others may have been cut between two events.
      assert.equal(accepted, name === "DRTM" ? 0 : log.events.length - (name === "SHA-1" ? 1 : 0));
    });
  }

  for (const [i, { events, pcrs }] of APU2_LAUNCHES.entries()) {
    it(`published launch ${i + 1} of the apu2 replays to the published PCR 17 and 18`, () => {
      const log = decodeTcgLog(encodeTcgLog(drtmLog(events)));
      const values = replayLog(log.events, TpmAlg.SHA256);
      assert.deepEqual(new Map([...values].map(([pcr, value]) => [pcr, toHex(value)])), pcrs);
    });
  }

  it("ends at next_record_offset, wherever the file ends", () => {
    const log = drtmLog(APU2_LAUNCHES[0]?.events ?? []);
    const area = concat(encodeTcgLog(log), hex("11000000 02050000 ffffffff"), new Uint8Array(100));
    assert.deepEqual(decodeTcgLog(area).events, log.events);
  });

  it("bears padding of eight bytes or more behind the last event, of one kind", () => {
    const file = encodeTcgLog(agileLog(FIRMWARE_EVENTS));
    for (const byte of [0x00, 0xff]) {
      assert.equal(decodeTcgLog(concat(file, new Uint8Array(8).fill(byte))).events.length, FIRMWARE_EVENTS.length);
      assert.throws(() => decodeTcgLog(concat(file, new Uint8Array(7).fill(byte))), CodecError);
    }
    assert.throws(() => decodeTcgLog(concat(file, new Uint8Array(8), Uint8Array.of(1))), CodecError);
  });

  const lies: readonly (readonly [name: string, change: (file: Uint8Array) => void, error: RegExp])[] = [
    ["a header of another PCR", (file) => file.set([1], 0), /TCG log\.header\.pcrIndex: is not PCR 0/],
    ["a header with another type", (file) => file.set([4], 4), /header\.eventType: is not EV_NO_ACTION/],
    ["a header with a digest", (file) => file.set([1], 8), /header\.digest: is not zero/],
    ["no bank", (file) => file.set([0], 56), /digestSizes: value not allowed/],
    ["17 banks", (file) => file.set([17], 56), /digestSizes: count 17 is not within 0\.\.16/],
    ["a bank twice", (file) => file.set([4, 0, 20, 0], 64), /digestSizes: value not allowed/],
    ["SHA-256 of 31 bytes", (file) => file.set([31], 66), /digestSizes\[1\]: value not allowed/],
    ["an unknown bank of 65 bytes", (file) => file.set([0xee, 0xee, 65, 0], 64), /digestSizes\[1\]: value not allowed/],
    ["PCR 24", (file) => file.set([24], 69), /events\[0\]\.TCG_PCR_EVENT2: there is no PCR 24/],
    ["no digest", (file) => file.set([0], 77), /digests: 0 digests in a log of 2 banks/],
    ["3 digests", (file) => file.set([3], 77), /digests: 3 digests in a log of 2 banks/],
    ["a digest of a bank that is not announced", (file) => file.set([12], 81), /algorithm 0xc is not in the header/],
    ["an event longer than the file", (file) => file.set([5], 137), /TCG_PCR_EVENT2\.event: 5 bytes wanted, 4 left/],
    ["an event of 4 GiB", (file) => file.set([255, 255, 255, 255], 137), /event: size 4294967295 is not within/],
  ];
  for (const [name, change, error] of lies) {
    it(`refuses ${name}`, () => {
      const file = BY_HAND.slice();
      change(file);
      assert.throws(() => decodeTcgLog(file), { name: "CodecError", message: error });
    });
  }

  it("takes algorithms that it does not know at their declared size, and does not compute them", () => {
    const algorithms = [{ hash: 0xabcd, digestBytes: 7 }];
    const event = {
      pcr: 1,
      type: EventType.SEPARATOR,
      digests: [{ hash: 0xabcd, digest: hex("01020304050607") }],
      data: hex("00"),
    };
    const { events } = decodeTcgLog(encodeTcgLog(agileLog([event], algorithms)));
    assert.deepEqual(events, [event]);
    assert.throws(() => replayLog(events, 0xabcd), RangeError);
  });

  it("refuses a DRTM log whose offsets cannot be", () => {
    const file = encodeTcgLog(drtmLog(APU2_LAUNCHES[1]?.events ?? []));
    const at = 32 + 37 + 16; // next_record_offset, the last four bytes of the header
    for (const [next, error] of [
      [file.byteLength + 1, /announced, \d+ are there: the log is cut/],
      [file.byteLength - 1, /events\[2\]/],
      [at, /within the header/],
      [70_000, /behind the 65536 bytes/],
    ] as const) {
      const wrong = file.slice();
      wrong.set(encode(u32le, next), at);
      assert.throws(() => decodeTcgLog(wrong), { name: "CodecError", message: error });
    }
  });

  it("does not write what the format cannot hold", () => {
    const event = eventOf(0, EventType.SEPARATOR, hex("00000000"));
    assert.throws(() => encodeTcgLog(sha1Log([event])), RangeError);
    assert.throws(() => encodeTcgLog(agileLog([{ ...event, pcr: 24 }])), RangeError);
    assert.throws(() => encodeTcgLog(agileLog([event], [{ hash: TpmAlg.SHA1, digestBytes: 20 }])), RangeError);
    assert.throws(() => encodeTcgLog(drtmLog([{ ...event, data: new Uint8Array(70_000) }])), RangeError);
  });
});
