import { closeSync } from "node:fs";
import { type Codec, decode, encode, fixed, mapped, struct, u16be, u16le } from "../../shared/bytes/index.ts";
import { formatIpv4, Ipv4Address } from "../../shared/net/index.ts";
import { type Libc, openLibc } from "./libc.ts";

/** What Linux knows of a network interface, and its address, by the ioctl calls of netdevice(7). */

const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFADDR = 0x8915;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const IFF_UP = 0x1;
const AF_INET = 2;
/** IFNAMSIZ with the zero at the end. */
const NAME_BYTES = 16;
/** struct ifreq behind the name. */
const VALUE_BYTES = 24;

/** As the kernel takes it for the name of an interface: no "%", which it would count up. */
export function isInterfaceName(text: string): boolean {
  return /^[!-~]{1,15}$/.test(text) && !/[/%:]/.test(text) && text !== "." && text !== "..";
}

const InterfaceName: Codec<string> = mapped(
  fixed(NAME_BYTES),
  (bytes) => new TextDecoder().decode(bytes.subarray(0, Math.max(0, bytes.indexOf(0)))),
  (name) => {
    const bytes = new Uint8Array(NAME_BYTES);
    new TextEncoder().encodeInto(name, bytes.subarray(0, NAME_BYTES - 1));
    return bytes;
  },
);

/** struct ifreq with flags. The machines of Linux that Node runs on are little-endian, but for one that nobody has. */
export const FlagsRequest = struct("ifreq", { name: InterfaceName, flags: u16le, rest: fixed(VALUE_BYTES - 2) });
const NO_REST = new Uint8Array(VALUE_BYTES - 2);

/** struct ifreq with a sockaddr_in. */
const AddressRequest = struct("ifreq", {
  name: InterfaceName,
  family: u16le,
  port: u16be,
  address: Ipv4Address,
  rest: fixed(VALUE_BYTES - 8),
});

export const flagsRequest = (name: string, flags: number): Uint8Array =>
  encode(FlagsRequest, { name, flags, rest: NO_REST });

const addressRequest = (name: string, address: string): Uint8Array =>
  encode(AddressRequest, { name, family: AF_INET, port: 0, address, rest: new Uint8Array(VALUE_BYTES - 8) });

export interface InterfaceAddress {
  readonly address: string;
  readonly prefixBits: number;
}

/** Why an interface cannot be had or set up, as a sentence. */
export class InterfaceError extends Error {
  override readonly name = "InterfaceError";
  readonly reason: "permission" | "gone" | "busy" | "unsupported";

  constructor(reason: InterfaceError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Gives an interface its address and sets it up, as far as that is not so. One that has another address keeps that. Resolves
 * with the address that it has. Rejects with InterfaceError.
 */
export function setUpInterface(name: string, wanted: InterfaceAddress): Promise<string> {
  return withControl(name, (libc, socket) => setUp(libc, socket, name, wanted));
}

/** Whether there is an interface of this name in our network namespace. Rejects with InterfaceError. */
export function interfaceExists(name: string): Promise<boolean> {
  return withControl(name, (libc, socket) => libc.ioctl(socket, SIOCGIFFLAGS, flagsRequest(name, 0)) === undefined);
}

async function withControl<T>(name: string, use: (libc: Libc, socket: number) => T): Promise<T> {
  const libc = await openLibc().catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InterfaceError("unsupported", `The interface ${name} cannot be had: ${why}`, { cause });
  });
  const socket = libc.controlSocket();
  if (typeof socket === "string")
    throw new InterfaceError("unsupported", `The interface ${name} cannot be had: ${socket}`);
  try {
    return use(libc, socket);
  } finally {
    closeSync(socket);
  }
}

function setUp(libc: Libc, socket: number, name: string, wanted: InterfaceAddress): string {
  const ask = (request: number, argument: Uint8Array) => {
    const error = libc.ioctl(socket, request, argument);
    if (error !== undefined) throw whyNot(name, error, wanted);
    return argument;
  };
  const { flags } = decode(FlagsRequest, ask(SIOCGIFFLAGS, flagsRequest(name, 0)));
  const current = addressRequest(name, "0.0.0.0");
  const unaddressed = libc.ioctl(socket, SIOCGIFADDR, current);
  const has = unaddressed === undefined ? decode(AddressRequest, current).address : undefined;
  if (has === undefined) {
    ask(SIOCSIFADDR, addressRequest(name, wanted.address)); // this sets it up, too
    ask(SIOCSIFNETMASK, addressRequest(name, netmask(wanted.prefixBits)));
  }
  if ((flags & IFF_UP) === 0) ask(SIOCSIFFLAGS, flagsRequest(name, flags | IFF_UP));
  return has ?? wanted.address;
}

function netmask(prefixBits: number): string {
  return formatIpv4(prefixBits === 0 ? 0 : (0xffff_ffff << (32 - prefixBits)) >>> 0);
}

function whyNot(name: string, error: string, { address, prefixBits }: InterfaceAddress): InterfaceError {
  if (error === "EPERM" || error === "EACCES") {
    const way = `ip address add ${address}/${prefixBits} dev ${name} && ip link set ${name} up`;
    return new InterfaceError("permission", `Only root may give ${name} its address: ${way}`);
  }
  if (error === "ENODEV") return new InterfaceError("gone", `There is no interface ${name}`);
  return new InterfaceError("unsupported", `${name} cannot be given the address ${address}: ${error}`);
}
