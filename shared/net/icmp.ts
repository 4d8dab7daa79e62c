import { type Codec, constant, encode, inField, Reader, rest, tagged, u8, u16be, u32be } from "../bytes/index.ts";
import { internetChecksum, WRONG_CHECKSUM } from "./checksum.ts";

export const IcmpType = { EchoReply: 0, DestinationUnreachable: 3, EchoRequest: 8 } as const;

/** Codes of Destination Unreachable (RFC 792). */
export const Unreachable = { Protocol: 2, Port: 3 } as const;

const Echo = { code: constant(u8, 0), checksum: u16be, identifier: u16be, sequence: u16be, data: rest };

/** RFC 792. Types that are not here are refused: a host discards what it does not know (RFC 1122, 3.2.2). */
const IcmpWire = tagged("ICMP", "type", u8, {
  [IcmpType.EchoReply]: Echo,
  [IcmpType.EchoRequest]: Echo,
  /** `unused` holds the next hop's MTU with code 4 (RFC 1191); `original` is the header and first bytes of what was not delivered. */
  [IcmpType.DestinationUnreachable]: { code: u8, checksum: u16be, unused: u32be, original: rest },
});

export interface IcmpEcho {
  readonly type: typeof IcmpType.EchoReply | typeof IcmpType.EchoRequest;
  readonly identifier: number;
  readonly sequence: number;
  readonly data: Uint8Array;
}

interface IcmpUnreachable {
  readonly type: typeof IcmpType.DestinationUnreachable;
  readonly code: number;
  readonly unused: number;
  readonly original: Uint8Array;
}

export type IcmpMessage = IcmpEcho | IcmpUnreachable;

function withChecksum(message: IcmpMessage, checksum: number) {
  return message.type === IcmpType.DestinationUnreachable
    ? { ...message, checksum }
    : { ...message, code: 0 as const, checksum };
}

/** A message with its checksum; it ends where the IPv4 payload ends. */
export const IcmpMessage: Codec<IcmpMessage> = {
  read(from) {
    const offset = from.offset;
    const raw = from.rest();
    const wire = IcmpWire.read(new Reader(raw, offset));
    if (internetChecksum(raw) !== 0) inField("ICMP.checksum", () => from.fail(WRONG_CHECKSUM));
    if (wire.type === IcmpType.DestinationUnreachable) {
      return { type: wire.type, code: wire.code, unused: wire.unused, original: wire.original };
    }
    return { type: wire.type, identifier: wire.identifier, sequence: wire.sequence, data: wire.data };
  },
  write(to, message) {
    const checksum = internetChecksum(encode(IcmpWire, withChecksum(message, 0)));
    IcmpWire.write(to, withChecksum(message, checksum));
  },
};
