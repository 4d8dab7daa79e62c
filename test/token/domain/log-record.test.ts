import assert from "node:assert/strict";
import { CodecError, decode, encode } from "../../../shared/bytes/index.ts";
import { LAUNCH_STEPS } from "../../../shared/event-log/index.ts";
import { Limit } from "../../../shared/protocol/index.ts";
import { KEPT_LOG_BYTES, KeptLog, packLog, unpackLog, wordless } from "../../../token/domain/log-record.ts";
import { logOf, measured, RECORDED } from "../../support/launch-log.ts";

const many = (count: number, description: string) =>
  logOf(...Array.from({ length: count }, (_, i) => ({ ...measured(i % 8, "firmware", `${i}`), description })));
const packed = (count: number, description: string) =>
  unpackLog(packLog(many(count, description)) ?? assert.fail("does not fit")).events;

describe("a log as the token keeps it", () => {
  it("is read as it was written, every step", () => {
    const log = logOf(...LAUNCH_STEPS.map((step) => measured(5, step)));
    assert.deepEqual(unpackLog(packLog(log) ?? assert.fail()), log);
    assert.deepEqual(unpackLog(packLog({ ...RECORDED, startupLocality: 3 }) ?? assert.fail()).startupLocality, 3);
  });

  it("lies in bytes as documented", () => {
    const [loader] = logOf({ pcr: 17, step: "loader", description: "SK", digest: new Uint8Array(32).fill(7) }).events;
    const bytes = encode(KeptLog, { hash: 0x0b, startupLocality: 0, events: loader === undefined ? [] : [loader] });
    const hex = `01000b00000111060253 4b${"07".repeat(32)}`.replace(" ", "");
    assert.equal(Buffer.from(bytes).toString("hex"), hex);
  });

  it("of a machine with 150 events keeps some of their words", () => {
    const events = packed(150, "Measured something into a PCR, which has a rather long name of 64");
    assert.equal(events.length, 150);
    assert.equal(events[0]?.description, "Measured somethi");
  });

  it("cuts whole characters, and fewer words the more events there are", () => {
    const euros = "€".repeat(21);
    assert.equal(packed(50, euros)[0]?.description, euros);
    assert.equal(packed(110, euros)[0]?.description, "€".repeat(10));
    assert.equal(packed(150, euros)[0]?.description, "€".repeat(5));
    assert.equal(packed(200, euros)[0]?.description, "");
  });

  it("is not kept when the digests alone do not fit", () => {
    const most = Math.floor((KEPT_LOG_BYTES - 6) / 35);
    assert.equal(packed(most, "words").length, most);
    assert.equal(packLog(many(most + 1, "")), undefined);
    assert.ok(most < Limit.LOG_EVENTS);
  });

  it("without words is the same log", () => {
    const { events } = unpackLog(wordless(packLog(RECORDED) ?? assert.fail()));
    assert.deepEqual(
      events,
      RECORDED.events.map((event) => ({ ...event, description: "" })),
    );
  });

  it("is refused cut short, with something behind it, of another version, bank, step, or with words that are no UTF-8", () => {
    const good = packLog(RECORDED) ?? assert.fail();
    const at = (place: number, byte: number) => good.map((old, i) => (i === place ? byte : old));
    const bad = [good.subarray(0, -1), Uint8Array.of(...good, 0), at(0, 2), at(2, 0x99), at(7, 15), at(9, 0xff)];
    for (const bytes of bad) assert.throws(() => decode(KeptLog, bytes), CodecError);
    assert.throws(() => encode(KeptLog, { ...RECORDED, hash: 0x12 }), RangeError);
  });
});
