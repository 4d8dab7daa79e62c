import { concat, encode, struct, u16le, utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import { buildBzImage } from "./bzimage.ts";
import type { LaunchFiles } from "./measurement.ts";

/** Small files that a measured launch takes, for demos and tests. The same label gives the same bytes; they run on no machine. */

const LOADER_BYTES = 4096;
const TAGS_BYTES = 256;
const KERNEL_BYTES = 16_384;
const INITRD_BYTES = 8192;
const LoaderStart = struct("SL header", { entryPoint: u16le, length: u16le });

/** `size` bytes that only `label` decides. */
function filler(label: string, size: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, i) => digest("sha256", utf8(`${label}:${i}`)));
  return concat(...blocks).subarray(0, size);
}

/** A Secure Loader image with data tags behind it. */
export function sampleLoader(label = "loader"): Uint8Array {
  const start = encode(LoaderStart, { entryPoint: 4, length: LOADER_BYTES });
  return concat(start, filler(`loader:${label}`, LOADER_BYTES - 4), filler("tags", TAGS_BYTES));
}

/** A bzImage with a valid header of boot protocol 2.15. */
export function sampleKernel(label = "kernel"): Uint8Array {
  return buildBzImage(
    {
      setup_sects: 3,
      root_flags: 1,
      ram_size: 0,
      vid_mode: 0xffff,
      root_dev: 0,
      boot_flag: 0xaa55,
      jump: 0x6aeb,
      header: 0x53726448,
      version: 0x020f,
      realmode_swtch: 0,
      start_sys_seg: 0x1000,
      kernel_version: 0,
      type_of_loader: 0,
      loadflags: 1,
      setup_move_size: 0x8000,
      code32_start: 0x100000,
      ramdisk_image: 0,
      ramdisk_size: 0,
      bootsect_kludge: 0,
      heap_end_ptr: 0,
      ext_loader_ver: 0,
      ext_loader_type: 0,
      cmd_line_ptr: 0,
      initrd_addr_max: 0x7fffffff,
      kernel_alignment: 0x200000,
      relocatable_kernel: 1,
      min_alignment: 0x15,
      xloadflags: 0x3f,
      cmdline_size: 2047,
      hardware_subarch: 0,
      hardware_subarch_data: 0n,
      payload_offset: 0,
      payload_length: KERNEL_BYTES,
      setup_data: 0n,
      pref_address: 0x1000000n,
      init_size: KERNEL_BYTES,
      handover_offset: 0,
    },
    filler(`kernel:${label}`, KERNEL_BYTES),
  );
}

export function sampleInitrd(label = "initrd"): Uint8Array {
  return filler(`initrd:${label}`, INITRD_BYTES);
}

/** A whole launch; `labels` changes one file or another. */
export function sampleLaunch(
  labels: Readonly<Partial<Record<"loader" | "kernel" | "initrd" | "commandLine", string>>> = {},
): LaunchFiles {
  return {
    loader: sampleLoader(labels.loader),
    kernel: sampleKernel(labels.kernel),
    initrd: sampleInitrd(labels.initrd),
    commandLine: labels.commandLine ?? "console=ttyS0,115200 root=/dev/sda1 ro",
  };
}
