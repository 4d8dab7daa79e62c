import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { measurementsOf, parseBzImage, sampleLaunch } from "../../../attester/dlme/index.ts";
import { concat, equal, toHex } from "../../../shared/bytes/index.ts";
import { cacheFolder } from "../../vm/kernel.ts";

/** A kernel of this machine, or of the virtual machine's cache; the test downloads nothing. */
function realKernel(): string | undefined {
  const named = (folder: string, inside = "") =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: inside === "", encoding: "utf8" })
          .filter((name) => /(^|\/)(vmlinuz|bzImage)[^/]*$/.test(name))
          .map((name) => join(folder, name))
      : [];
  return [...named("/boot", "only"), ...named(cacheFolder())].find(existsSync);
}

/** First bytes of what kernels are packed with: gzip, xz, zstd, lz4, bzip2, lzma, lzo. */
const PACKED = /^(1f8b|fd377a58|28b52ffd|02214c18|425a68|5d0000|894c5a4f)/;

describe("a real bzImage", () => {
  let file: Uint8Array;

  before(function () {
    const path = realKernel();
    if (path === undefined) {
      console.log(`      not here: a bzImage, in /boot or ${cacheFolder()}`);
      return this.skip();
    }
    file = readFileSync(path);
  });

  it("has its packed kernel where its header says, within what is measured", () => {
    const { header, protectedMode } = parseBzImage(file);
    const payload = protectedMode.subarray(header.payload_offset, header.payload_offset + header.payload_length);
    assert.equal(payload.byteLength, header.payload_length);
    assert.match(toHex(payload.subarray(0, 4)), PACKED);
    assert.ok(protectedMode.byteLength + 512 <= file.byteLength);
  });

  it("is measured without its setup sectors and without what is signed onto it", () => {
    const { header } = parseBzImage(file);
    const measured = (kernel: Uint8Array) =>
      measurementsOf({ firmware: [], launch: { ...sampleLaunch(), kernel } }).find(({ data }) => data.length > 1 << 20)
        ?.data ?? assert.fail("no kernel was measured");
    const from = (header.setup_sects + 1) * 512;
    assert.ok(equal(measured(file), file.subarray(from, from + 16 * header.syssize)));
    assert.ok(equal(measured(file), measured(concat(file, new Uint8Array(4096).fill(0xa5)))));
  });

  it("is refused wherever it is cut, with the place", () => {
    for (const size of [0, 0x1f1, 0x202, 0x250, 512, 4096, file.byteLength >> 1]) {
      assert.throws(() => parseBzImage(file.subarray(0, size)), /^CodecError: bzImage/);
    }
  });
});
