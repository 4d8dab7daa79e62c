/** Pieces with a meaning in the formats, to be put into inputs. Hexadecimal, but for texts. */
import { utf8 } from "../../shared/bytes/index.ts";
import { hex } from "./decoder.ts";

const hexes = (text: string) => text.trim().split(/\s+/).map(hex);
const texts = (...words: readonly string[]) => words.map((word) => utf8(word));

const numbers = hexes("00 01 7f 80 ff 0000 0001 00ff 0100 7fff 8000 ffff 00000000 00000001 7fffffff 80000000 ffffffff");

/** USB, EEM, Ethernet to UDP, CoAP: descriptors, EEM heads, EtherTypes, option heads with their extensions, the payload marker. */
const link = [
  ...numbers,
  ...hexes(
    "0902 0904 0705 0403 1201 0c07 8006 0300 0040 ff3f ff7f 0080 0088 00a0 0800 0806 45 46 4f 06 11 08 4000 2000",
  ),
  ...hexes("40 48 4f 50 60 70 ff d0 dd de e0 ee f0 0d 0e ffff 1161 6b d1 c1 b1 21 26 272a 2a 0e 1e 3c a2 5c 81 c2"),
];

/** Algorithms, curves, structure tags, handles, TPM_GENERATED_VALUE. */
const tpm = [
  ...numbers,
  ...hexes(
    "ff544347 8001 8002 8014 8017 8018 8019 801a 8021 8024 8025 8028 40000001 40000007 40000009 4000000b 81010001",
  ),
  ...hexes(
    "80000000 02000000 03000000 01000002 0001 0004 0005 0006 0008 000b 000c 000d 0010 0014 0015 0016 0017 0018 0022",
  ),
  ...hexes("0023 0025 0043 0003 00010001 0800 0080 03ffffff 000b03ffffff 00050072 00030072 00020072"),
];

/** Heads with and without lengths, simple values, floats, tags, breaks. */
const cbor = [
  ...numbers,
  ...hexes(
    "80 81 9f 98ff 9affffffff a0 a1 bf b8ff 40 41 5820 58ff 5f 5affffffff 5bffffffffffffffff 60 61 7f 7bffffffffffffffff",
  ),
  ...hexes(
    "f4 f5 f6 f7 f818 f97e00 fa7f800000 fb3ff0000000000000 c0 c2 d818 d9d9f7 17 1818 1a00010000 1bffffffffffffffff 20 3b",
  ),
  ...texts("data", "sig", "certs", "cert", "nonce", "id", "name", "pcrs", "bank", "__proto__"),
];

/** Tags, forms of lengths, and the identifiers of extensions, keys and signatures. */
const der = [
  ...numbers,
  ...hexes(
    "3000 3080 3081ff 3082ffff 3084ffffffff 0000 0101ff 020100 0500 0400 0303 1f1f a000 a003 a3 a1 80 81 82 84 86 87",
  ),
  ...hexes(
    "0603551d13 0603551d0f 0603551d0e 0603551d23 0603551d11 0603551d1e 0603551d20 0603551d25 06082b06010505070101",
  ),
  ...hexes(
    "2a864886f70d01010b 2a864886f70d01010a 2a864886f70d010101 2a8648ce3d0201 2a8648ce3d030107 2a8648ce3d040302 2b6570",
  ),
  ...hexes("0c 13 16 17 18 170d 180f 1e 31 a0030201020209"),
  ...texts("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "=", "\n"),
];

/** Little-endian algorithms and sizes, types of events, headers of device paths, and of ELF and SMBIOS tables. */
const logs = [
  ...numbers,
  ...hexes(
    "0400 0b00 0c00 0d00 14000000 20000000 30000000 03000000 08000000 0d000000 01000080 02000080 08000080 e0000080",
  ),
  ...hexes(
    "04011a00 0101 0201 0305 0404 7fff0400 7fff 0000 696d61 696d612d6e67 736861323536 3a00 0a000000 7f454c46 01 02 03 05",
  ),
  ...texts("Spec ID Event03\0", "StartupLocality\0", "ima-ng", "ima-sig", "sha256:", "sha1:", "boot_aggregate"),
];

const files = [
  ...numbers,
  ...texts(
    ": ",
    "\n- ",
    "\n  ",
    "&a ",
    "*a",
    "!!str ",
    "|\n",
    ">",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    "'",
    '"',
    "---\n",
    "<<: ",
    "? ",
  ),
  ...texts(
    "name",
    "steps",
    "expect",
    "boot",
    "frames",
    "null",
    "true",
    "1e99",
    "0x10",
    "-1",
    "tcp:",
    "unix:",
    "65536",
    "[::1]",
  ),
  ...hexes("5f534d5f 5f534d335f 7f454c46 55aa 48647253 01040000 0b000000"),
];

/** USB/IP and usbredir: operations, commands, packet types, in the byte order of each. */
const buses = [
  ...numbers,
  ...hexes(
    "0111 8003 8005 0003 0005 00000001 00000002 00000003 00000004 8006000100001200 0009010000000000 00000200 00000800",
  ),
  ...hexes("00000000 01000000 02000000 64000000 65000000 04000000 12000000 80 81 01 ff000000 ffffff7f"),
];

export const dictionary = { link, tpm, cbor, der, logs, files, buses } as const;
