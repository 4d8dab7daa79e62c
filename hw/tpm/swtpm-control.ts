/** swtpm's control channel: what a chipset does to a TPM. Each request goes in one write; the reply begins with a u32 result. */
import { concat, encode, Reader, u8, u32be } from "../../shared/bytes/index.ts";
import type { TpmPlatform } from "../../shared/ports/index.ts";
import { TpmPlatformError, TpmUnreachable } from "../../shared/tpm/index.ts";
import { type StreamAddress, StreamChannel, type StreamLimits } from "./stream-channel.ts";

/** swtpm/tpm_ioctl.h, the commands of the socket protocol. */
const Control = {
  INIT: 2,
  SHUTDOWN: 3,
  SET_LOCALITY: 5,
  HASH_START: 6,
  HASH_DATA: 7,
  HASH_END: 8,
  STORE_VOLATILE: 0x0a,
} as const;

const INIT_DELETE_VOLATILE = 1;
/** swtpm's own client sends pieces of this size. */
const HASH_PIECE_BYTES = 4096;
const RESULT_BYTES = 4;
const MAX_LOCALITY = 4;

/** swtpm refused a control command. */
export class SwtpmControlError extends TpmPlatformError {
  override readonly name = "SwtpmControlError";
  readonly result: number;

  constructor(control: string, result: number) {
    super(`swtpm refused ${control} (0x${result.toString(16)})`);
    this.result = result;
  }
}

/** The platform that swtpm plays, with what it can do beyond TpmPlatform. */
export interface SwtpmControl extends TpmPlatform {
  /** Puts the volatile state on disk, so that the next INIT (of another process too) goes on with it. */
  storeVolatile(): Promise<void>;
  /** swtpm ends. */
  shutdown(): Promise<void>;
  close(): Promise<void>;
}

/** Connects. Rejects with TpmUnreachable. */
export async function openSwtpmControl(
  address: StreamAddress,
  limits: Partial<StreamLimits> = {},
): Promise<SwtpmControl> {
  const channel = new StreamChannel(address, limits);
  await channel.connect();

  const ask = async (name: keyof typeof Control, ...body: readonly Uint8Array[]): Promise<void> => {
    const request = concat(encode(u32be, Control[name]), ...body);
    const result = new Reader(await channel.exchange(request, () => RESULT_BYTES)).u32be();
    if (result !== 0) throw new SwtpmControlError(name, result);
  };

  return {
    async setLocality(locality) {
      if (!Number.isInteger(locality) || locality < 0 || locality > MAX_LOCALITY) {
        throw new RangeError(`there is no locality ${locality}`);
      }
      await ask("SET_LOCALITY", encode(u8, locality));
    },
    async hashSequence(data) {
      await ask("HASH_START");
      for (let at = 0; at < data.byteLength; at += HASH_PIECE_BYTES) {
        const piece = data.subarray(at, at + HASH_PIECE_BYTES);
        await ask("HASH_DATA", encode(u32be, piece.byteLength), piece);
      }
      await ask("HASH_END");
    },
    // INIT is the power coming back; whether TPM2_Shutdown came before makes the cycle orderly or not. Power that comes for the first
    // time may find a volatile state that was stored on purpose. Power that goes takes it away: swtpm 0.7 deletes it only after it
    // has loaded it, hence twice.
    async power(how) {
      await ask("INIT", encode(u32be, how === "on" ? 0 : INIT_DELETE_VOLATILE));
      if (how !== "on") await ask("INIT", encode(u32be, 0));
    },
    storeVolatile: () => ask("STORE_VOLATILE"),
    async shutdown() {
      try {
        await ask("SHUTDOWN");
      } catch (error) {
        // swtpm may be gone before its reply is read: that is what was wanted.
        if (!(error instanceof TpmUnreachable)) throw error;
      }
    },
    close: () => channel.close(),
  };
}
