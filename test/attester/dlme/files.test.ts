import assert from "node:assert/strict";
import {
  BOOT_PARAMS_BYTES,
  bootParams,
  commandLineArea,
  parseBzImage,
  parseSecureLoader,
  sampleInitrd,
  sampleKernel,
  sampleLaunch,
  sampleLoader,
} from "../../../attester/dlme/index.ts";
import { CodecError, equal, utf8 } from "../../../shared/bytes/index.ts";
import { fuzzDecoder } from "../../support/fuzz.ts";

const u16le = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint16(at, true);
const u32le = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

describe("bzImage", () => {
  const kernel = sampleKernel();

  it("has its fields where the boot protocol puts them", () => {
    assert.equal(kernel[0x1f1], 3); // setup_sects
    assert.equal(u32le(kernel, 0x1f4), 1024); // syssize, in 16-byte units
    assert.equal(u16le(kernel, 0x1fe), 0xaa55);
    assert.equal(new TextDecoder().decode(kernel.subarray(0x202, 0x206)), "HdrS");
    assert.equal(u16le(kernel, 0x206), 0x020f);
    assert.equal(u32le(kernel, 0x238), 2047); // cmdline_size
    assert.equal(u32le(kernel, 0x260), 16_384); // init_size
    assert.equal(kernel.byteLength, 4 * 512 + 16_384);
  });

  it("is measured from behind the setup sectors, syssize paragraphs, whatever follows", () => {
    const { protectedMode } = parseBzImage(Uint8Array.from([...kernel, 1, 2, 3]));
    assert.deepEqual(protectedMode, kernel.subarray(2048));
  });

  it("takes setup_sects 0 as 4", () => {
    const old = Uint8Array.from([...kernel, ...new Uint8Array(512)]);
    old[0x1f1] = 0;
    assert.deepEqual(parseBzImage(old).protectedMode, old.subarray(5 * 512));
  });

  it("is refused when it is cut, old or something else", () => {
    for (const [size, problem] of [
      [0, /bzImage: 497 bytes wanted/],
      [0x240, /bzImage\.setup_header\.hardware_subarch_data/],
      [kernel.byteLength - 1, /bzImage\.syssize: 16384 bytes wanted, 16383 left/],
    ] as const) {
      assert.throws(() => parseBzImage(kernel.slice(0, size)), problem);
    }
    const old = kernel.slice();
    old[0x206] = 0x0b;
    assert.throws(() => parseBzImage(old), /0x20b is older than 2\.12/);
    const other = kernel.slice();
    other[0x202] = 0;
    assert.throws(() => parseBzImage(other), /setup_header\.header: 0x53726400 where 0x53726448 belongs/);
  });

  it("fills in the boot parameters as a boot loader does", () => {
    const { header } = parseBzImage(kernel);
    const params = bootParams(header, 0x1234);
    assert.equal(params.byteLength, BOOT_PARAMS_BYTES);
    assert.equal(params[0x210], 0xff); // type_of_loader: not a known one
    assert.equal(u32le(params, 0x21c), 0x1234); // ramdisk_size
    assert.ok(equal(params.subarray(0x202, 0x206), utf8("HdrS")));
  });

  it("measures the whole command line area", () => {
    const { header } = parseBzImage(kernel);
    const area = commandLineArea(header, utf8("quiet"));
    assert.equal(area.byteLength, 2047);
    assert.ok(equal(area.subarray(0, 6), utf8("quiet\0")));
    assert.throws(() => commandLineArea(header, new Uint8Array(2048)), /2048 bytes, this kernel takes 2047/);
    assert.throws(() => commandLineArea({ ...header, cmdline_size: 0xffffffff }, utf8("")), CodecError);
  });

  it("gives CodecError and nothing else on any bytes", () => {
    fuzzDecoder("bzImage", parseBzImage, [kernel.slice(0, 2048 + 64)]);
  });
});

describe("Secure Loader image", () => {
  it("is measured to the length in its header; data tags lie behind", () => {
    const loader = sampleLoader();
    assert.equal(u16le(loader, 2), 4096);
    const { measured, data } = parseSecureLoader(loader);
    assert.deepEqual(measured, loader.subarray(0, 4096));
    assert.deepEqual(data, loader.subarray(4096));
  });

  it("is refused when it is cut or its header makes no sense", () => {
    const loader = sampleLoader();
    for (let size = 0; size < 4096; size += 7) {
      assert.throws(() => parseSecureLoader(loader.slice(0, size)), CodecError);
    }
    assert.throws(() => parseSecureLoader(Uint8Array.of(0, 0, 3, 0)), /length 3 does not hold the header/);
    assert.throws(() => parseSecureLoader(Uint8Array.of(9, 0, 4, 0)), /entry point 9 behind the image/);
  });

  it("gives CodecError and nothing else on any bytes", () => {
    fuzzDecoder("Secure Loader image", parseSecureLoader, [
      sampleLoader().slice(0, 200),
      Uint8Array.of(1, 0, 9, 0, 1, 2, 3, 4, 5),
    ]);
  });
});

describe("sample files", () => {
  it("are the same for the same label, others for another", () => {
    assert.deepEqual(sampleLaunch(), sampleLaunch());
    assert.ok(!equal(sampleKernel("a"), sampleKernel("b")));
    assert.ok(!equal(sampleLoader("a"), sampleLoader("b")));
    assert.ok(!equal(sampleInitrd("a"), sampleInitrd("b")));
    assert.equal(sampleLaunch({ commandLine: "quiet" }).commandLine, "quiet");
  });

  it("change one PCR each", () => {
    const { loader } = sampleLaunch({ loader: "other" });
    assert.deepEqual(parseSecureLoader(loader).data, parseSecureLoader(sampleLoader()).data);
    assert.deepEqual(parseBzImage(sampleKernel("other")).header, parseBzImage(sampleKernel()).header);
  });
});
