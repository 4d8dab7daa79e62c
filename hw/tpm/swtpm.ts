/** swtpm's data channel over TCP or a UNIX socket: a raw command, a raw response, no other framing. */
import { Reader } from "../../shared/bytes/index.ts";
import type { TpmTransport } from "../../shared/ports/index.ts";
import { TPM_HEADER_BYTES, TpmLimit, TpmUnreachable } from "../../shared/tpm/index.ts";
import { type StreamAddress, StreamChannel, type StreamLimits } from "./stream-channel.ts";

/** The size field at offset 2 of a response; what is no TPM response must not make us wait or buffer without end. */
function responseSize(received: Uint8Array): number | undefined {
  if (received.byteLength < TPM_HEADER_BYTES) return undefined;
  const header = new Reader(received);
  header.u16be();
  const size = header.u32be();
  if (size < TPM_HEADER_BYTES || size > TpmLimit.MESSAGE) {
    throw new TpmUnreachable(`what answers is no TPM: a response of ${size} bytes`);
  }
  return size;
}

/** Connects, so that a TPM which is not there is known at once. Rejects with TpmUnreachable. */
export async function openSwtpm(address: StreamAddress, limits: Partial<StreamLimits> = {}): Promise<TpmTransport> {
  const channel = new StreamChannel(address, limits);
  await channel.connect();
  return {
    send: (command, signal) => channel.exchange(command, responseSize, signal),
    close: () => channel.close(),
  };
}
