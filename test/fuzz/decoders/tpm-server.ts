/** What clients send to the TPM server: swtpm's control channel. The data channel's commands are the TPM's own business. */
import { ControlRequest, controlRequestBytes } from "../../../hw/tpm/server/control-codec.ts";
import { type Decoder, hex, ofCodec, ofFunction } from "../decoder.ts";

const SEEDS = [
  "00000001",
  "0000000200000001",
  "0000000504",
  "00000006",
  "0000000700000004aabbccdd",
  "00000008",
  "0000000b03",
  "0000000e",
  "0000001100001000",
].map(hex);

export const tpmServerDecoders: readonly Decoder[] = [
  ofCodec("TPM control request", ControlRequest, SEEDS),
  ofFunction("TPM control request size", controlRequestBytes, SEEDS, {
    prefix: "says how many bytes are needed at least",
    trailing: "what follows belongs to the next",
  }),
];
