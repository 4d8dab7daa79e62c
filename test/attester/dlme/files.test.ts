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

  it("is refused when its header ends where none can, or no kernel follows", () => {
    for (const [at, value, problem] of [
      [0x201, 0x65, /setup_header\.jump: the header cannot end at 0x267/],
      [0x201, 0x8f, /setup_header\.jump: the header cannot end at 0x291/],
      [0x1f5, 0, /setup_header\.syssize: no kernel behind the setup sectors/],
    ] as const) {
      const wrong = kernel.slice();
      wrong[at] = value;
      assert.throws(() => parseBzImage(wrong), problem);
    }
  });

  it("gives CodecError and nothing else on any bytes", () => {
    fuzzDecoder("bzImage", parseBzImage, [kernel.slice(0, 2048 + 64)]);
  });
});

describe("boot parameters", () => {
  const image = parseBzImage(sampleKernel());

  it("are the header with what a boot loader fills in", () => {
    const params = bootParams(image, 0x1234);
    assert.equal(params.byteLength, BOOT_PARAMS_BYTES);
    assert.equal(params[0x210], 0xff); // type_of_loader: not a known one
    assert.equal(u32le(params, 0x218), 0x7ffde000); // ramdisk_image: the highest page below the top of memory
    assert.equal(u32le(params, 0x21c), 0x1234); // ramdisk_size
    assert.equal(u32le(params, 0x228), 0x20000); // cmd_line_ptr
    assert.ok(equal(params.subarray(0x202, 0x206), utf8("HdrS")));
    assert.equal(params[0x1ef], 0); // the sentinel of a loader that zeroed the page
  });

  it("hold the memory map", () => {
    const params = bootParams(image, 0);
    assert.equal(params[0x1e8], 5);
    assert.equal(u32le(params, 0x2d0 + 8), 0x9fc00); // size of the first entry
    assert.equal(u32le(params, 0x2d0 + 3 * 20), 0x100000); // address of the fourth
    assert.equal(u32le(params, 0x2d0 + 3 * 20 + 16), 1); // usable
    assert.ok(params.subarray(0x2d0 + 5 * 20).every((byte) => byte === 0));
  });

  it("name no initrd where there is none, as the stub looks", () => {
    const params = bootParams(image, 0);
    assert.deepEqual([u32le(params, 0x218), u32le(params, 0x21c)], [0, 0]);
  });

  it("carry the whole header, also what newer protocols have", () => {
    const kernel = sampleKernel();
    kernel.set([0xef, 0xbe, 0xad, 0xde], 0x268); // kernel_info_offset, protocol 2.15
    assert.equal(u32le(bootParams(parseBzImage(kernel), 0), 0x268), 0xdeadbeef);
    kernel[0x201] = 0x66; // ends before it
    assert.equal(u32le(bootParams(parseBzImage(kernel), 0), 0x268), 0);
  });

  it("keep the initrd below what the kernel takes, and refuse one without room", () => {
    const low = { ...image, header: { ...image.header, initrd_addr_max: 0x37ffffff } };
    assert.equal(u32le(bootParams(low, 4097), 0x218), 0x37ffe000);
    assert.throws(() => bootParams(low, 0x36000001), /initrd: 905969665 bytes find no room/);
  });

  it("come with the whole command line area", () => {
    const { header } = image;
    const area = commandLineArea(header, utf8("quiet"));
    assert.equal(area.byteLength, 2047);
    assert.ok(equal(area.subarray(0, 6), utf8("quiet\0")));
    assert.throws(() => commandLineArea(header, new Uint8Array(2048).fill(0x20)), /2048 bytes, this kernel takes 2047/);
    assert.throws(() => commandLineArea(header, utf8("a\0b")), /command line: a NUL would end it/);
    assert.throws(() => commandLineArea({ ...header, cmdline_size: 0xffffffff }, utf8("")), CodecError);
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
