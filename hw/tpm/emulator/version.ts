/** What the emulator says of itself in TPM_PT_* properties and attestation. */

/** Of the library specification that it follows: Part 2, 6.13. */
export const SPEC = { family: "2.0", level: 0, revision: 164, dayOfYear: 75, year: 2021 } as const;

/** TPM_PT_MANUFACTURER: not in the TCG vendor registry, so that nobody takes the emulator for a chip. */
export const MANUFACTURER = "FOBN";
/** TPM_PT_VENDOR_STRING_1 to 4: four characters each. */
export const VENDOR_STRING = "fobnail emulator";
export const FIRMWARE_VERSION = 0x0001_0000_0000_0000n;
