import { cbor, type InferCbor } from "../cbor/index.ts";
import { Limit } from "./limits.ts";

const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffff_ffff;
/** Bits 0 to 23: PCRs beyond do not exist. */
const PCR_MASK_MAX = 2 ** Limit.PCRS - 1;

const nonce = cbor.bytes({ size: Limit.NONCE_BYTES });

/** The EK chain (intermediates first, EK certificate last, root not sent) or the owner's chain. */
export const CertChain = cbor.map({
  certs: cbor.array(cbor.bytes({ min: 1, max: Limit.CERTIFICATE_BYTES }), Limit.CERTIFICATES, 1),
});

/** POST /challenge of API v0; the answer to .../provision/aik in v1. Both byte strings begin with their 2-byte sizes. */
export const Challenge = cbor.map({
  idObject: cbor.bytes({ min: 2, max: Limit.ID_OBJECT_BYTES }),
  encSecret: cbor.bytes({ min: 2, max: Limit.ENC_SECRET_BYTES }),
});

/** FETCH /metadata of API v0 with a nonce. */
export const NonceRequest = cbor.map({ nonce });

const PolicyBank = cbor.map({ algo_id: cbor.uint(UINT16_MAX), pcrs: cbor.uint(PCR_MASK_MAX) });

/** POST /quote of API v0; what POST /attest answers in v1. */
const quoteRequest = { nonce, banks: cbor.array(PolicyBank, Limit.BANKS, 1) } as const;
export const QuoteRequest = cbor.map(quoteRequest);
/** The same as the reference token writes it: a map of indefinite length. */
export const QuoteRequestIndefinite = cbor.map(quoteRequest, { indefinite: true });
export type QuoteRequest = InferCbor<typeof QuoteRequest>;

/** `data` is an encoded CBOR item; the AIK signs `data || nonce`. */
export const SignedObject = cbor.map({
  data: cbor.bytes({ min: 1, max: Limit.RIM_BYTES }),
  signature: cbor.bytes({ min: 1, max: Limit.SIGNATURE_BYTES }),
});
export type SignedObject = InferCbor<typeof SignedObject>;

/** `data` is a TPMS_ATTEST that the AIK signs as it is: the nonce is inside. */
export const Evidence = cbor.map({
  data: cbor.bytes({ min: 1, max: Limit.ATTEST_BYTES }),
  signature: cbor.bytes({ min: 1, max: Limit.SIGNATURE_BYTES }),
});
export type Evidence = InferCbor<typeof Evidence>;

const name = cbor.text({ min: 1, max: Limit.TEXT_BYTES });

/** Who the platform is. Its id is SHA-256 over these bytes as received. */
export const Metadata = cbor.map({
  version: cbor.uint(1, 1),
  mac: cbor.bytes({ size: 6 }),
  manufacturer: name,
  product_name: name,
  serial_number: name,
});
export type Metadata = InferCbor<typeof Metadata>;

/** Bit n of `pcrs` is PCR n; `pcr` holds as many digests as set bits, lowest PCR first. */
const RimBank = cbor.map({
  algo_id: cbor.uint(UINT16_MAX),
  pcrs: cbor.uint(UINT32_MAX),
  pcr: cbor.array(cbor.bytes({ min: 1, max: Limit.PCR_BYTES }), Limit.PCRS),
});

/** Reference values: what the PCRs held when the platform was recorded. */
export const Rim = cbor.map({ update_ctr: cbor.uint(UINT32_MAX), banks: cbor.array(RimBank, Limit.BANKS, 1) });
export type Rim = InferCbor<typeof Rim>;
