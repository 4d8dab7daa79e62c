import { decode, encode, utf8 } from "../../shared/bytes/index.ts";
import { decodeCbor, decodeItem, encodeCbor, encodeItem } from "../../shared/cbor/index.ts";
import { IndefiniteMap } from "../../shared/cbor/value.ts";
import { type Evidence, Metadata, type QuoteRequest, Rim, signedBytes } from "../../shared/protocol/index.ts";
import { TpmSt, TpmsAttest, type TpmsAttestQuote } from "../../shared/tpm/index.ts";
import type { Machine } from "./machine.ts";

/** A platform as it says who it is: a machine, metadata and reference values. */
export interface Platform {
  readonly machine: Machine;
  readonly metadata: Uint8Array;
  readonly rim: Uint8Array;
}

export const facts = {
  version: 1,
  mac: Uint8Array.of(0x00, 0x0d, 0xb9, 0x53, 0xd2, 0x50),
  manufacturer: "Fobnail conformance",
  product_name: "row",
} as const;

export async function platformOf(machine: Machine, serialNumber: string): Promise<Platform> {
  const metadata = encodeCbor(Metadata, { ...facts, serial_number: serialNumber });
  return { machine, metadata, rim: await machine.rim() };
}

/** A signed object of the platform's AIK over `data || nonce`, encoded. */
export async function signed(machine: Machine, data: Uint8Array, nonce: Uint8Array): Promise<Uint8Array> {
  return encodeItem(
    new Map([
      ["data", data],
      ["signature", await machine.sign(signedBytes(data, nonce))],
    ]),
  );
}

/** What has no nonce in it: one that was made up, and none, as in API v0, which signs the data alone. */
export const NO_NONCES: readonly Uint8Array[] = [new Uint8Array(32), new Uint8Array()];

/** The same metadata in other bytes: a map with an end instead of a length. */
export function inOtherBytes(metadata: Uint8Array): Uint8Array {
  const item = decodeItem(metadata);
  if (!(item instanceof Map)) throw new Error("metadata that is no map");
  return encodeItem(new IndefiniteMap(item));
}

/** The same reference values, but for the last PCR of the policy, PCR 18. */
export function otherRim(rim: Uint8Array): Uint8Array {
  const { banks, update_ctr } = decodeCbor(Rim, rim);
  const LAUNCHED = 18;
  const changed = banks.map((bank) => {
    const position = countBits(bank.pcrs & ((1 << LAUNCHED) - 1));
    return { ...bank, pcr: bank.pcr.map((value, i) => (i === position ? value.map((byte) => byte ^ 0x55) : value)) };
  });
  return encodeCbor(Rim, { update_ctr, banks: changed });
}

function countBits(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left >>>= 1) count += left & 1;
  return count;
}

/** Evidence that says something else than the TPM quoted, signed by the AIK all the same: only keys in software do that. */
export async function forged(
  machine: Machine,
  request: QuoteRequest,
  alter: (quote: TpmsAttestQuote) => TpmsAttest,
): Promise<Evidence> {
  const quote = decode(TpmsAttest, (await machine.quote(request)).data);
  if (quote.type !== TpmSt.ATTEST_QUOTE) throw new Error("the machine quotes something else");
  const data = encode(TpmsAttest, alter(quote));
  return { data, signature: await machine.sign(data) };
}

export const withByte = (bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array =>
  bytes.map((byte, i) => (i === (at + bytes.byteLength) % bytes.byteLength ? change(byte) : byte));

/** One bit of the last byte turned. */
export const flipped = (bytes: Uint8Array): Uint8Array => withByte(bytes, -1, (byte) => byte ^ 1);

export const text = utf8;
