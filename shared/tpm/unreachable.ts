/** The TPM was not reached: nothing listens, no right to open it, the connection broke. Programs end with exit code 3. */
export class TpmUnreachable extends Error {
  override readonly name = "TpmUnreachable";
}
