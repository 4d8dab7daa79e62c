import { type Codec, fixed, mapped, u32be } from "../bytes/index.ts";

/** An IPv4 address in this room is the dotted text of `Peer.address`; a MAC address is its six bytes. */
export const Ipv4Address: Codec<string> = mapped(u32be, formatIpv4, parseIpv4);
export const MacAddress: Codec<Uint8Array> = fixed(6);

export const BROADCAST_MAC: Uint8Array = new Uint8Array(6).fill(0xff);
export const LIMITED_BROADCAST = "255.255.255.255";
export const UNSPECIFIED = "0.0.0.0";

const DOTTED = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

export function isIpv4(text: string): boolean {
  return DOTTED.test(text);
}

/** The address as a number, first octet highest. RangeError when `text` is not four decimal octets without leading zeros. */
export function parseIpv4(text: string): number {
  if (!isIpv4(text)) throw new RangeError(`"${text}" is not a dotted IPv4 address`);
  return text.split(".").reduce((value, octet) => value * 256 + Number(octet), 0);
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join(".");
}

/** The broadcast address of the network that `address` lies in (RFC 1122, 3.2.1.3 (d)). */
export function directedBroadcast(address: string, prefixBits: number): string {
  const hostMask = prefixBits === 0 ? 0xffff_ffff : (1 << (32 - prefixBits)) - 1;
  return formatIpv4((parseIpv4(address) | hostMask) >>> 0);
}

/** Whether `address` may name one host on the link: not 0/8, loopback 127/8, multicast 224/4 or 240/4 (RFC 1122, 3.2.1.3). */
export function isUnicastIpv4(address: string): boolean {
  const network = parseIpv4(address) >>> 24;
  return network !== 0 && network !== 127 && network < 224;
}

/** Group addresses have the lowest bit of the first octet set (IEEE 802, 8.2.2). All zeros is nobody's address. */
export function isUnicastMac(mac: Uint8Array): boolean {
  return ((mac[0] ?? 1) & 1) === 0 && mac.some((octet) => octet !== 0);
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}
