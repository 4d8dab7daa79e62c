/** What plays the chipset refused to do something to the TPM: to give it power, to change the locality, to launch. */
export class TpmPlatformError extends Error {
  override readonly name: string = "TpmPlatformError";
}
