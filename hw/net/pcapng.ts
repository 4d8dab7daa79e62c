import {
  type Codec,
  constant,
  encode,
  type Infer,
  type Reader,
  struct,
  tagged,
  u16le,
  u32le,
  u64le,
  utf8,
} from "../../shared/bytes/index.ts";

/** PCAP Now Generic, the capture files of Wireshark (draft-ietf-opsawg-pcapng): the four kinds of blocks that we write, little-endian. */
export const BlockType = {
  /** 4.1: begins the file. */
  SectionHeader: 0x0a0d_0d0a,
  /** 4.2: begins an interface; the first in the file is number 0. */
  InterfaceDescription: 1,
  /** 4.6: what an interface counted. */
  InterfaceStatistics: 5,
  /** 4.3: one packet. */
  EnhancedPacket: 6,
} as const;

/** Of the registry of link types (draft-ietf-opsawg-pcaplinktype). Raw packets begin with an IP header. */
export const LinkType = { Ethernet: 1, Raw: 101 } as const;

/** Codes of options (3.5, 4.1 to 4.3). */
export const OptionCode = {
  Comment: 1,
  SectionApplication: 4,
  InterfaceName: 2,
  InterfaceDescription: 3,
  InterfaceTimestampResolution: 9,
  PacketFlags: 2,
} as const;

/** Bits 0 and 1 of a packet's flags. */
export const PacketDirection = { In: 1, Out: 2 } as const;

/** A negative power of ten: 9 is nanoseconds. */
const NANOSECONDS = 9;

export interface PcapngOption {
  readonly code: number;
  readonly value: Uint8Array;
}

const WORD_BYTES = 4;
const MAX_OPTIONS = 1_024;
const END_OF_OPTIONS = 0;

const padding = (size: number): Uint8Array => new Uint8Array((WORD_BYTES - (size % WORD_BYTES)) % WORD_BYTES);

function skipPadding(from: Reader, size: number): void {
  if (from.bytes(padding(size).byteLength).some((byte) => byte !== 0)) from.fail("padding is not zero");
}

/** 3.5. None at all, or some and an end of options. */
const Options: Codec<readonly PcapngOption[]> = {
  read(from) {
    if (from.remaining === 0) return [];
    const options: PcapngOption[] = [];
    for (;;) {
      const code = from.u16le();
      const size = from.u16le();
      if (code === END_OF_OPTIONS) {
        if (size !== 0 || options.length === 0) from.fail("no end of options");
        return options;
      }
      if (options.length >= MAX_OPTIONS) from.fail(`more than ${MAX_OPTIONS} options`);
      options.push({ code, value: from.bytes(size) });
      skipPadding(from, size);
    }
  },
  write(to, options) {
    if (options.length === 0) return;
    for (const { code, value } of options) {
      to.u16le(code).u16le(value.byteLength).bytes(value).bytes(padding(value.byteLength));
    }
    to.u16le(END_OF_OPTIONS).u16le(0);
  },
};

/** Captured length, original length, and the data, which is never cut here. */
const PacketData: Codec<Uint8Array> = {
  read(from) {
    const captured = from.u32le();
    const original = from.u32le();
    if (captured !== original) from.fail(`${captured} bytes of a packet of ${original}`);
    const data = from.bytes(captured);
    skipPadding(from, captured);
    return data;
  },
  write(to, data) {
    to.u32le(data.byteLength).u32le(data.byteLength).bytes(data).bytes(padding(data.byteLength));
  },
};

/** The high half in front, whatever the order of bytes within (4.3). */
const Timestamp: Codec<bigint> = {
  read: (from) => (BigInt(from.u32le()) << 32n) | BigInt(from.u32le()),
  write: (to, value) => {
    to.u32le(Number(value >> 32n)).u32le(Number(value & 0xffff_ffffn));
  },
};

const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
/** -1: up to the next section or the end of the file. */
export const SECTION_BYTES_NOT_SAID = 0xffff_ffff_ffff_ffffn;

/** What stands around a block's body: type and length in front, the length again behind (3.1). */
const FRAME_BYTES = 12;
/** Larger than any block with one packet and its comments. */
const MAX_BLOCK_BYTES = 1 << 20;

/** A body between its two lengths. */
function bounded<T>(body: Codec<T>): Codec<T> {
  return {
    read(from) {
      const size = from.u32le();
      if (size < FRAME_BYTES || size > MAX_BLOCK_BYTES || size % WORD_BYTES !== 0)
        from.fail(`a block of ${size} bytes`);
      const inside = from.within(size - FRAME_BYTES);
      const value = body.read(inside);
      inside.end();
      const again = from.u32le();
      if (again !== size) from.fail(`${again} behind a block of ${size} bytes`);
      return value;
    },
    write(to, value) {
      const bytes = encode(body, value);
      const size = FRAME_BYTES + bytes.byteLength;
      to.u32le(size).bytes(bytes).u32le(size);
    },
  };
}

export const PcapngBlock = tagged("pcapng", "type", u32le, {
  [BlockType.SectionHeader]: {
    body: bounded(
      struct("SHB", {
        magic: constant(u32le, BYTE_ORDER_MAGIC),
        major: constant(u16le, 1),
        minor: constant(u16le, 0),
        sectionBytes: u64le,
        options: Options,
      }),
    ),
  },
  [BlockType.InterfaceDescription]: {
    body: bounded(
      struct("IDB", {
        linkType: u16le,
        reserved: constant(u16le, 0),
        /** 0: packets are never cut. */
        snapBytes: u32le,
        options: Options,
      }),
    ),
  },
  [BlockType.InterfaceStatistics]: {
    body: bounded(struct("ISB", { interface: u32le, timestamp: Timestamp, options: Options })),
  },
  [BlockType.EnhancedPacket]: {
    body: bounded(struct("EPB", { interface: u32le, timestamp: Timestamp, data: PacketData, options: Options })),
  },
});
export type PcapngBlock = Infer<typeof PcapngBlock>;

// ---- what the capture writes

const text = (code: number, value: string): PcapngOption => ({ code, value: utf8(value) });
const comments = (texts: readonly string[]) => texts.map((comment) => text(OptionCode.Comment, comment));

export function sectionHeader(application: string): Uint8Array {
  return encode(PcapngBlock, {
    type: BlockType.SectionHeader,
    body: {
      magic: BYTE_ORDER_MAGIC,
      major: 1,
      minor: 0,
      sectionBytes: SECTION_BYTES_NOT_SAID,
      options: [text(OptionCode.SectionApplication, application)],
    },
  });
}

/** With timestamps in nanoseconds since 1970. */
export function interfaceDescription(linkType: number, name: string, description: string): Uint8Array {
  const options = [
    text(OptionCode.InterfaceName, name),
    text(OptionCode.InterfaceDescription, description),
    { code: OptionCode.InterfaceTimestampResolution, value: Uint8Array.of(NANOSECONDS) },
  ];
  const body = { linkType, reserved: 0, snapBytes: 0, options } as const;
  return encode(PcapngBlock, { type: BlockType.InterfaceDescription, body });
}

export interface PacketFacts {
  readonly interface: number;
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint;
  readonly direction: "in" | "out";
  readonly comments: readonly string[];
}

export function enhancedPacket(data: Uint8Array, facts: PacketFacts): Uint8Array {
  const { interface: number, timestamp, direction } = facts;
  const flags = encode(u32le, direction === "in" ? PacketDirection.In : PacketDirection.Out);
  const options = [{ code: OptionCode.PacketFlags, value: flags }, ...comments(facts.comments)];
  const body = { interface: number, timestamp, data, options };
  return encode(PcapngBlock, { type: BlockType.EnhancedPacket, body });
}

/** Comments behind the last packet. */
export function interfaceStatistics(interfaceNumber: number, timestamp: bigint, texts: readonly string[]): Uint8Array {
  const body = { interface: interfaceNumber, timestamp, options: comments(texts) };
  return encode(PcapngBlock, { type: BlockType.InterfaceStatistics, body });
}
