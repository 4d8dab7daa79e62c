import assert from "node:assert/strict";
import { CodecError, concat, encode, toHex, u32le, utf8 } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { decodeImaLog } from "../../../shared/event-log/ima.ts";
import {
  decodeEventLog,
  describeEvent,
  diffEvents,
  encodeImaLog,
  type ImaLog,
  imaEvent,
  isImaFaithful,
  type LogEvent,
  MAX_EVENTS,
  replayLog,
  stepOf,
  withImaBank,
} from "../../../shared/event-log/index.ts";
import { replay, TpmAlg } from "../../../shared/tpm/index.ts";
import { hex } from "../../fuzz/decoder.ts";
import { imaNg, imaSig, oldIma } from "../../support/event-logs.ts";

const FILE = digest("sha256", utf8("content"));
const logOf = (...events: readonly LogEvent[]): ImaLog => ({ format: "ima", algorithms: [{ hash: TpmAlg.SHA1, digestBytes: 20 }], events }); // biome-ignore format: one structure
const le32 = (n: number) => encode(u32le, n);

/** What the kernel writes, put together by hand. */
const fields = concat(le32(40), utf8("sha256:\0"), FILE, le32(10), utf8("/bin/bash\0"));
const ENTRY = concat(le32(10), digest("sha1", fields), le32(6), utf8("ima-ng"), le32(fields.byteLength), fields);
const VIOLATION = concat(le32(10), new Uint8Array(20), ENTRY.subarray(24));
const OLD = concat(
  le32(10),
  digest("sha1", digest("sha1", utf8("x")), utf8("/init"), new Uint8Array(251)),
  le32(3),
  utf8("ima"),
  digest("sha1", utf8("x")),
  le32(5),
  utf8("/init"),
);

describe("IMA measurement list", () => {
  it("has a number of entries at most, however short they are", () => {
    const entry = encodeImaLog(logOf(imaEvent({ template: "x", data: new Uint8Array() })));
    const file = new Uint8Array((MAX_EVENTS + 1) * entry.byteLength);
    for (let at = 0; at < file.byteLength; at += entry.byteLength) file.set(entry, at);
    assert.equal(decodeImaLog(file.subarray(entry.byteLength)).events.length, MAX_EVENTS);
    assert.throws(() => decodeImaLog(file), /CodecError: IMA log: more than 524288 entries/);
  }).timeout(30_000);

  it("is read and written byte by byte as the kernel does: ima, ima-ng, ima-sig, violations", () => {
    const log = decodeEventLog(concat(OLD, ENTRY, VIOLATION));
    assert.equal(log.format, "ima");
    const violation = {
      ...imaNg("/bin/bash", FILE),
      digests: [{ hash: TpmAlg.SHA1, digest: new Uint8Array(20).fill(255) }],
    };
    assert.deepEqual(log.events, [oldIma("/init", digest("sha1", utf8("x"))), imaNg("/bin/bash", FILE), violation]);
    assert.equal(toHex(encodeImaLog(logOf(...log.events))), toHex(concat(OLD, ENTRY, VIOLATION)));
    const signed = imaSig("/bin/sh", FILE, hex("0302040000"));
    assert.deepEqual(decodeImaLog(encodeImaLog(logOf(signed))).events, [signed]);
  });

  it("says what was measured", () => {
    const other = imaEvent({ template: "evm-sig", data: hex("01020304") });
    const events = [
      imaNg("boot_aggregate", FILE),
      imaNg("/usr/bin/a\u001b[2J", FILE),
      oldIma("/init", FILE.subarray(0, 20)),
      other,
    ];
    assert.deepEqual(events.map(describeEvent), [
      "IMA boot aggregate",
      "IMA measured /usr/bin/a?[2J",
      "IMA measured /init",
      "IMA entry of template evm-sig: 4 bytes",
    ]);
    assert.deepEqual([...new Set(events.map(stepOf))], ["ima"]);
  });

  it("replays template hashes in SHA-1, violations as all ones", () => {
    const { events } = decodeImaLog(concat(ENTRY, VIOLATION));
    const expected = replay(TpmAlg.SHA1, [digest("sha1", fields), new Uint8Array(20).fill(255)]);
    assert.deepEqual(replayLog(events, TpmAlg.SHA1), new Map([[10, expected]]));
  });

  it("replays other banks hashed, and filled up as before Linux 5.8", () => {
    const { events } = decodeImaLog(concat(ENTRY, VIOLATION));
    const ones = new Uint8Array(32).fill(255);
    const replayed = (style: "hashed" | "padded-sha1") =>
      replayLog(withImaBank(events, TpmAlg.SHA256, style), TpmAlg.SHA256).get(10);
    assert.deepEqual(replayed("hashed"), replay(TpmAlg.SHA256, [digest("sha256", fields), ones]));
    const padded = concat(digest("sha1", fields), new Uint8Array(12));
    const paddedViolation = concat(new Uint8Array(20).fill(255), new Uint8Array(12));
    assert.deepEqual(replayed("padded-sha1"), replay(TpmAlg.SHA256, [padded, paddedViolation]));
    assert.throws(() => withImaBank(events, TpmAlg.SM3_256, "hashed"), RangeError);
  });

  it("tells data that the digest was not made of", () => {
    const [good, violation] = decodeImaLog(concat(ENTRY, VIOLATION)).events;
    assert.deepEqual(
      [good, violation].map((event) => event !== undefined && isImaFaithful(event)),
      [true, true],
    );
    const renamed = ENTRY.slice();
    renamed.set(utf8("/bin/dash"), ENTRY.byteLength - 10);
    assert.deepEqual(decodeImaLog(renamed).events.map(isImaFaithful), [false]);
  });

  it("refuses every prefix but whole entries, and lies", () => {
    const entries = [OLD, ENTRY, VIOLATION];
    const file = concat(...entries);
    const ends = entries.map((_, i) => concat(...entries.slice(0, i + 1)).byteLength);
    for (let size = 0; size < file.byteLength; size++) {
      if (!ends.includes(size)) assert.throws(() => decodeImaLog(file.subarray(0, size)), CodecError, `${size} bytes`);
    }
    const wrong = (at: number, ...bytes: number[]) => {
      const lie = ENTRY.slice();
      lie.set(bytes, at);
      return () => decodeImaLog(lie);
    };
    assert.throws(wrong(0, 24), /entries\[0\]: there is no PCR 24/);
    assert.throws(wrong(24, 0), /size 0 is not within 1\.\.255/);
    assert.throws(wrong(28, 0), /value not allowed/);
    assert.throws(wrong(34, 0xff), /bytes wanted/);
    assert.throws(wrong(38, 41), /template data\.ima-ng\.path/);
    assert.throws(wrong(ENTRY.byteLength - 1, 0x61), /template data\.ima-ng\.path: value not allowed/);
    assert.throws(wrong(4, ...new Uint8Array(20).fill(255)), /all ones/);
  });

  it("replays ten thousand entries, and compares them with the same in another order, one of them changed", () => {
    const events = Array.from({ length: 10_000 }, (_, i) => imaNg(`/usr/lib/${i}`, digest("sha256", le32(i))));
    const log = decodeImaLog(encodeImaLog(logOf(...events)));
    assert.equal(log.events.length, 10_000);
    const expected = replay(
      TpmAlg.SHA1,
      events.map((event) => event.digests[0]?.digest ?? FILE),
    );
    assert.deepEqual(replayLog(log.events, TpmAlg.SHA1).get(10), expected);
    const later = [...events.slice(5_000), ...events.slice(0, 5_000)];
    later[0] = imaNg("/usr/lib/5000", FILE);
    const differences = diffEvents(events, later, TpmAlg.SHA1);
    assert.equal(differences.filter(({ kind }) => kind === "moved").length, 4_999);
    const others = differences.filter(({ kind }) => kind !== "moved");
    assert.deepEqual(
      others.map(({ kind, description }) => `${kind} ${description}`),
      ["changed IMA measured /usr/lib/5000"],
    );
  });
});
