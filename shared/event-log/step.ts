/** What a measured event stands for in the boot, so that a verdict can name it. */
import { decoded } from "./describe-efi.ts";
import { TaggedEvent } from "./efi.ts";
import { EventType, type LogEvent } from "./event.ts";
import type { LaunchStep } from "./launch-steps.ts";
import { isText, textOf } from "./text.ts";

/** Texts of the dynamic launch and of the gate; the first that fits counts, so that "Kernel command line" is not the kernel. */
const LAUNCH_TEXTS: readonly (readonly [RegExp, LaunchStep])[] = [
  [/^SKINIT\b/i, "loader"],
  [/^capped\b/i, "cap"],
  [/\btarget\b/i, "target"],
  [/\bbootloader data\b/i, "bootloader-data"],
  [/\bboot parameters\b|\bzero page\b/i, "boot-parameters"],
  [/\bcommand line\b|\bcmdline\b/i, "command-line"],
  [/\binitramfs\b|\binitrd\b/i, "initrd"],
  [/\bkernel\b/i, "kernel"],
];

/** What GRUB 2 writes before the kernel's. */
const KERNEL_COMMAND_LINE = /^kernel_cmdline:/;
/** Tags of the kernel's EFI stub: Linux, drivers/firmware/efi/libstub/efistub.h. */
const INITRD_TAG = 0x8f3b22ec;
const LOAD_OPTIONS_TAG = 0x8f3b22ed;

const BY_PCR: readonly LaunchStep[] = [
  "firmware",
  "firmware-settings",
  "firmware",
  "firmware-settings",
  "boot-loader",
  "boot-loader",
  "firmware-settings",
  "secure-boot",
  "boot-loader",
  "boot-loader",
  "ima",
];
const FIRST_LAUNCH_PCR = 17;
/** Where the gate measures over /dev/tpmrm0, which has no locality for 17 to 19. */
const TARGET_PCR = 14;

/** By type, then by the text of the event, then by its PCR (PC Client Platform Firmware Profile, 3.3.4). */
export function stepOf(event: LogEvent): LaunchStep {
  switch (event.type) {
    case EventType.SEPARATOR:
      return "separator";
    case EventType.SKINIT:
      return "loader";
    case EventType.SL_KERNEL:
      return "kernel";
    case EventType.IMA_ENTRY:
      return "ima";
    case EventType.EVENT_TAG:
      return stepOfTag(decoded(TaggedEvent, event.data)?.id) ?? stepOfText(event);
  }
  return stepOfText(event);
}

function stepOfTag(id: number | undefined): LaunchStep | undefined {
  return id === INITRD_TAG ? "initrd" : id === LOAD_OPTIONS_TAG ? "command-line" : undefined;
}

function stepOfText(event: LogEvent): LaunchStep {
  const text = isText(event.data) ? textOf(event.data) : "";
  const launched = event.pcr >= FIRST_LAUNCH_PCR || event.pcr === TARGET_PCR || /^capped\b/i.test(text);
  if (launched) return LAUNCH_TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? "other";
  if (KERNEL_COMMAND_LINE.test(text)) return "command-line";
  return BY_PCR[event.pcr] ?? "other";
}
