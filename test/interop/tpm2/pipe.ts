/**
 * What tpm2-tools' `cmd` TCTI runs: commands on standard input go to a TPM's data channel at a locality, in the envelope for that; responses
 * come back bare. The tools' own TCTI for swtpm asks for locality 0 before each command. Arguments: locality, then a path, or host and port.
 */
import { createConnection } from "node:net";
import { ByteQueue, concat, encode, Reader, u8, u32be } from "../../../shared/bytes/index.ts";

const SEND_COMMAND = 8;
const SIZE_BYTES = 4;
/** The u32 behind a response. */
const TRAILER_BYTES = 4;

const [locality = "", where = "", port] = process.argv.slice(2);
const socket = createConnection(port === undefined ? { path: where } : { host: where, port: Number(port) });
const received = new ByteQueue();

process.stdin.on("data", (command: Uint8Array) => {
  const envelope = concat(encode(u32be, SEND_COMMAND), encode(u8, Number(locality)));
  socket.write(concat(envelope, encode(u32be, command.byteLength), command));
});
process.stdin.on("end", () => socket.end());
socket.on("data", (chunk: Uint8Array) => {
  received.push(chunk);
  const size = received.peek(SIZE_BYTES);
  if (size === undefined) return;
  const whole = received.take(SIZE_BYTES + new Reader(size).u32be() + TRAILER_BYTES);
  if (whole !== undefined) process.stdout.write(whole.subarray(SIZE_BYTES, -TRAILER_BYTES));
});
