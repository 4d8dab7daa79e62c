/**
 * In the order of a boot. `firmware` is code of the platform, `firmware-settings` its configuration, `secure-boot` PCR 7;
 * `boot-loader` what it starts and what that reads; `loader` to `initrd` are the dynamic launch; `target` and `cap` the gate.
 */
export const LAUNCH_STEPS = [
  "firmware",
  "firmware-settings",
  "secure-boot",
  "separator",
  "boot-loader",
  "loader",
  "bootloader-data",
  "kernel",
  "boot-parameters",
  "command-line",
  "initrd",
  "ima",
  "target",
  "cap",
  "other",
] as const;
export type LaunchStep = (typeof LAUNCH_STEPS)[number];
