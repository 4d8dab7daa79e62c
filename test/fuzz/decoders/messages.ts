/** Decoders of CBOR: the guard, and the messages of the protocol. */
import { readFileSync } from "node:fs";
import { decodeItem, encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import * as protocol from "../../../shared/protocol/index.ts";
import { both, type Decoder, hex, ofFunction, ofSchema } from "../decoder.ts";

export const vector = (name: string) => new Uint8Array(readFileSync(`test/vectors/v0/${name}`));

const bank = { algo_id: 0x0b, pcrs: 0x0600ff, pcr: Array.from({ length: 10 }, (_, i) => new Uint8Array(32).fill(i)) };
const rim = encodeCbor(protocol.Rim, {
  update_ctr: 9,
  banks: [bank, { algo_id: 4, pcrs: 1, pcr: [new Uint8Array(20)] }],
});
const metadata = encodeCbor(protocol.Metadata, {
  version: 1,
  mac: hex("000db953d250"),
  manufacturer: "PC Engines",
  product_name: "apu2",
  serial_number: "1373268",
});
const signed = [vector("04_metadata_prov.resp.bin"), vector("06_metadata_att.resp.bin")];
const items = [
  "00 1864 1903e8 1a000f4240 1b000000e8d4a51000 1b001ffffffffffffe 20 3863 3903e7 3a000f423f 3b001ffffffffffffd",
  "f4 f5 f6 40 4401020304 60 6161 6449455446 62c3bc 63e6b0b4 64f0908591 80 83010203 8301820203820405 a0 a201020304",
  "a26161016162820203 826161a161626163 bf61610161629f",
];
const well = items
  .join(" ")
  .split(" ")
  .filter((text) => !["a201020304", "bf61610161629f"].includes(text));

export const messageDecoders: readonly Decoder[] = [
  both("CBOR item", decodeItem, encodeItem, [...well.map(hex), ...signed, metadata, rim], {
    loose: "maps of indefinite length are read",
  }),
  ofFunction("CBOR item with a map of indefinite length", decodeItem, [hex("bf616101616282020361630aff"), hex("bfff")]),
  ofSchema("certificate chain", protocol.CertChain, [vector("01_ek.resp.bin")]),
  ofSchema("challenge", protocol.Challenge, [vector("03_challenge.req.bin")]),
  ofSchema("nonce request", protocol.NonceRequest, [vector("06_metadata_att.req.bin")]),
  ofSchema("quote request", protocol.QuoteRequest, [
    encodeCbor(protocol.QuoteRequest, { nonce: new Uint8Array(32), banks: [{ algo_id: 0x0b, pcrs: 0x0600ff }] }),
  ]),
  ofSchema("quote request as the reference writes it", protocol.QuoteRequestIndefinite, [vector("07_quote.req.bin")]),
  ofSchema("signed object", protocol.SignedObject, signed),
  ofSchema("evidence", protocol.Evidence, [vector("07_quote.resp.bin")]),
  ofSchema("metadata", protocol.Metadata, [metadata]),
  ofSchema("reference values", protocol.Rim, [rim]),
  ofFunction("reference values as banks", protocol.decodeRim, [rim]),
];
