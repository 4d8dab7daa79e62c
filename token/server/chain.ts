import { cbor } from "../../shared/cbor/index.ts";
import { Limit } from "../../shared/protocol/index.ts";

const MAX_SENT = 16;

/** Certificates as a peer sends them. More than any chain may have are a chain to refuse (4.03), not a malformed message (4.00). */
export const SentChain = cbor.map({
  certs: cbor.array(cbor.bytes({ min: 1, max: Limit.CERTIFICATE_BYTES }), MAX_SENT, 1),
});
