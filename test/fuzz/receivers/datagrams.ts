import { hex } from "../decoder.ts";

/** Requests and replies of CoAP, whole and block-wise. */
export const datagrams: readonly Uint8Array[] = [
  "40 01 7d34 b3 617069",
  "48 02 0001 0102030405060708 b3 617069 11 3c d1 02 0e ff 00010203",
  "41 05 0002 20 b1 62 11 2a d1 03 26",
  "60 45 0003 ff 3232",
  "61 5f 0004 20 d1 0e 0e",
  "41 45 0005 53 c1 3c d1 0a 0e ff 0102",
  "40 00 0006",
  "70 00 0007",
].map(hex);
