import assert from "node:assert/strict";
import {
  isStateSaved,
  mayExtend,
  mayReset,
  PCR_BANKS,
  PCR_COUNT,
  Pcrs,
  pcrProperty,
} from "../../../../hw/tpm/emulator/pcr.ts";
import { fromHex, toHex } from "../../../../shared/bytes/index.ts";
import { digest, digestSize } from "../../../../shared/crypto/index.ts";

const digestsOf = (data: Uint8Array) => new Map(PCR_BANKS.map((bank) => [bank, digest(bank, data)]));
const localities = (may: (locality: number) => boolean) => [0, 1, 2, 3, 4].filter(may).join("");
const rows = (may: (pcr: number, locality: number) => boolean) =>
  Array.from({ length: PCR_COUNT }, (_, pcr) => localities((locality) => may(pcr, locality)));

describe("PCRs and localities: PC Client Platform TPM Profile, 4.6.2", () => {
  it("says who may extend", () => {
    assert.deepEqual(rows(mayExtend), [...Array(17).fill("01234"), "234", "234", "23", "123", "2", "2", "01234"]);
  });

  it("says who may reset", () => {
    assert.deepEqual(rows(mayReset), [...Array(16).fill(""), "0123", "", "", "", "2", "2", "2", "0123"]);
  });

  it("keeps 0 to 15 over a suspend", () => {
    assert.deepEqual(
      Array.from({ length: PCR_COUNT }, (_, pcr) => isStateSaved(pcr)),
      [...Array(16).fill(true), ...Array(8).fill(false)],
    );
  });

  it("has no PCR 24", () => {
    assert.throws(() => mayExtend(24, 0), RangeError);
    assert.equal(pcrProperty(0x15), undefined);
  });
});

describe("PCR values", () => {
  const started = () => {
    const pcrs = new Pcrs();
    pcrs.startup(0, 0, undefined);
    return pcrs;
  };

  it("start at zero, the dynamic ones at all ones", () => {
    const pcrs = started();
    for (const bank of PCR_BANKS) {
      for (let pcr = 0; pcr < PCR_COUNT; pcr++) {
        const expected = new Uint8Array(digestSize(bank)).fill(pcr >= 17 && pcr <= 22 ? 0xff : 0);
        assert.deepEqual(pcrs.read(bank, pcr), expected, `${bank} ${pcr}`);
      }
    }
  });

  it("a launch zeroes 17 to 22 and measures into 17 (value from libtpms: 10000 bytes of 0x5A)", () => {
    const pcrs = started();
    pcrs.launch(digestsOf(new Uint8Array(10_000).fill(0x5a)), true);
    assert.equal(toHex(pcrs.read("sha256", 17)), "554ca4e63fed0bf69e376ae97db85913d3464755597b319070b1c951cc41bffe");
    for (const pcr of [18, 19, 20, 21, 22]) assert.deepEqual(pcrs.read("sha256", pcr), new Uint8Array(32));
    for (const bank of PCR_BANKS) {
      const measured = digest(bank, new Uint8Array(digestSize(bank)), digest(bank, new Uint8Array(10_000).fill(0x5a)));
      assert.deepEqual(pcrs.read(bank, 17), measured);
    }
  });

  it("a measurement before Startup goes to PCR 0, which begins with locality 4", () => {
    const pcrs = new Pcrs();
    pcrs.launch(digestsOf(fromHex("616263") ?? assert.fail()), false);
    pcrs.startup(0, 0, undefined);
    const start = new Uint8Array(32);
    start[31] = 4;
    assert.deepEqual(
      pcrs.read("sha256", 0),
      digest("sha256", start, digest("sha256", fromHex("616263") ?? assert.fail())),
    );
    assert.deepEqual(pcrs.read("sha256", 17), new Uint8Array(32).fill(0xff));
    pcrs.startup(0, 0, undefined);
    assert.deepEqual(pcrs.read("sha256", 0), new Uint8Array(32), "it counts for one start");
  });

  it("gives out copies", () => {
    const pcrs = started();
    pcrs.read("sha1", 1).fill(0x77);
    assert.deepEqual(pcrs.read("sha1", 1), new Uint8Array(20));
  });

  it("count their changes, but not those of 16, 21, 22 and 23", () => {
    const pcrs = started();
    const before = pcrs.updateCounter;
    for (let pcr = 0; pcr < PCR_COUNT; pcr++) pcrs.extend("sha256", pcr, new Uint8Array(32));
    assert.equal(pcrs.updateCounter - before, 20);
  });
});
