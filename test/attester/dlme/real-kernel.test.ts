import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cacheFolder } from "../../../attester/cli/os/debian.ts";
import {
  buildBzImage,
  measurementsOf,
  parseBzImage,
  sampleKernel,
  sampleLaunch,
} from "../../../attester/dlme/index.ts";
import { concat, equal, toHex } from "../../../shared/bytes/index.ts";

/** Kernels of this machine and of the virtual machine's cache, where there are any; the test downloads nothing. */
function realKernels(): readonly string[] {
  return ["/boot", cacheFolder()].filter(existsSync).flatMap((folder) =>
    readdirSync(folder, { recursive: folder !== "/boot", encoding: "utf8" })
      .filter((name) => /(^|\/)(vmlinuz|bzImage)[^/]*$/.test(name))
      .map((name) => join(folder, name)),
  );
}

/** First bytes of what kernels are packed with: gzip, xz, zstd, lz4, bzip2, lzma, lzo. */
const PACKED = /^(1f8b|fd377a58|28b52ffd|02214c18|425a68|5d0000|894c5a4f)/;

/** As distributions build theirs: 39 setup sectors, a packed kernel within the code that unpacks it, a signature behind it. */
function likeARealOne(): Uint8Array {
  const { syssize: _, ...header } = parseBzImage(sampleKernel()).header;
  const packed = gzipSync(new Uint8Array(3 << 20).fill(0x90));
  const body = concat(new Uint8Array(0x2cc).fill(0xcc), packed, new Uint8Array(1 << 20).fill(0xee));
  const setup = { ...header, setup_sects: 39, payload_offset: 0x2cc, payload_length: packed.byteLength };
  return concat(buildBzImage(setup, body), new Uint8Array(1480).fill(0x30));
}

const kernels: readonly (readonly [string, () => Uint8Array])[] = [
  ["made like one", likeARealOne],
  ...realKernels().map((path) => [path, () => new Uint8Array(readFileSync(path))] as const),
];

for (const [name, read] of kernels) {
  describe(`a real bzImage: ${name}`, () => {
    const file = read();

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
        measurementsOf({ firmware: [], launch: { ...sampleLaunch(), kernel } }).find(
          ({ data }) => data.length > 1 << 20,
        )?.data ?? assert.fail("no kernel was measured");
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
}
