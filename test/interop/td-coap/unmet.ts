/** What a pair does not carry out, and why. */

export type Unmet =
  /** A step is not as described: `says` is in the failure's message. */
  | { readonly kind: "fails"; readonly why: string; readonly says: RegExp }
  /** The description wants what one side does not offer. */
  | { readonly kind: "cannot"; readonly why: string };

const fails = (says: RegExp, why: string): Unmet => ({ kind: "fails", says, why });
const cannot = (why: string): Unmet => ({ kind: "cannot", why });

const OUR_TOKENS = cannot(
  "our client sends a token of eight bytes with every request; that our server takes none is shown in the first column, by a request written out by hand",
);
const NO_LOCATION = "libcoap's example server names no place in a response";
const NO_FORMATS = cannot("libcoap's example server has no resource in two formats");
const LIBCOAP_IF_NONE_MATCH = "libcoap's example server writes what is there already in spite of If-None-Match";
const NO_ETAG = cannot("libcoap's example server gives such a resource no ETag");
const NODE_BLOCK1 =
  "node `coap`'s server leaves Block1 out of its last response (RFC 7959, section 2.5, has it echoed)";
const NODE_ETAG = "node `coap`'s server reads an ETag as UTF-8 text, so that one of other bytes is damaged";
const LIBCOAP_BLOCK1 = "libcoap's server leaves Block1 out of its last response";

const NO_DISCOVERY = cannot("our server has no resource discovery: what a token offers is fixed by its API");

/** By pair, then description. */
export const UNMET: Readonly<Record<string, Readonly<Record<string, Unmet>>>> = {
  "fobnail asks fobnail": { TD_COAP_LINK_01: NO_DISCOVERY },
  "libcoap asks fobnail": {
    TD_COAP_LINK_01: NO_DISCOVERY,
    TD_COAP_CORE_12: cannot("libcoap's client always sends a token"),
    TD_COAP_CORE_31: cannot("libcoap's client program has no ping that one can ask for"),
  },
  "node `coap` asks fobnail": {
    TD_COAP_LINK_01: NO_DISCOVERY,
    TD_COAP_CORE_12: cannot("node `coap`'s client always sends a token"),
    TD_COAP_CORE_16: fails(
      /not acknowledged again/,
      "node `coap`'s client answers a response that comes again, its ACK being lost, with RST in place of another ACK; the other three losses go well",
    ),
    TD_COAP_CORE_31: cannot("node `coap`'s client has no ping"),
  },
  "fobnail asks libcoap": {
    TD_COAP_CORE_12: OUR_TOKENS,
    TD_COAP_CORE_17: fails(/no Content-Format/, "libcoap's example server gives its late resource no Content-Format"),
    TD_COAP_CORE_18: cannot(NO_LOCATION),
    TD_COAP_CORE_19: cannot(NO_LOCATION),
    TD_COAP_CORE_20: NO_FORMATS,
    TD_COAP_CORE_21: NO_ETAG,
    TD_COAP_CORE_22: NO_ETAG,
    TD_COAP_CORE_23: fails(/answered 2\.04/, LIBCOAP_IF_NONE_MATCH),
    TD_COAP_CORE_24: cannot(NO_LOCATION),
    TD_COAP_CORE_25: cannot(NO_LOCATION),
    TD_COAP_CORE_26: NO_FORMATS,
    TD_COAP_CORE_27: NO_ETAG,
    TD_COAP_CORE_28: fails(/answered 2\.04/, LIBCOAP_IF_NONE_MATCH),
    TD_COAP_CORE_29: fails(/no Content-Format/, "libcoap's server leaves Content-Format out when it is 0"),
    TD_COAP_BLOCK_03: fails(/Block1 of the 2\.04/, LIBCOAP_BLOCK1),
    TD_COAP_BLOCK_04: fails(/Block1 of the 2\.01/, `${LIBCOAP_BLOCK1}, and names no place`),
    TD_COAP_BLOCK_05: cannot("libcoap's example server answers no POST with a large body"),
  },
  "fobnail asks node `coap`": {
    TD_COAP_LINK_01: cannot("node `coap`'s server has no resource discovery of its own"),
    TD_COAP_CORE_12: OUR_TOKENS,
    TD_COAP_CORE_21: fails(/answered 2\.05/, NODE_ETAG),
    TD_COAP_CORE_27: fails(/answered 2\.05/, NODE_ETAG),
    TD_COAP_CORE_31: fails(
      /not with RST/,
      "node `coap`'s server answers a ping with an empty ACK, not with RST; our client takes that as a sign of life, too",
    ),
    TD_COAP_BLOCK_03: fails(/Block1 of the 2\.04/, NODE_BLOCK1),
    TD_COAP_BLOCK_04: fails(/Block1 of the 2\.01/, NODE_BLOCK1),
    TD_COAP_BLOCK_05: fails(
      /another code than the first block's/,
      "node `coap`'s server answers later blocks with 2.05 where the first had 2.04; our client does not join them",
    ),
    TD_COAP_BLOCK_06: fails(
      /0 bytes in a block of 16/,
      "node `coap`'s server reads a Block2 of 0/0/16, an option without bytes, as blocks of no bytes",
    ),
  },
};
