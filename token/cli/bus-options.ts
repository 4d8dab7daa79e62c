import { type Command, InvalidArgumentError, Option } from "commander";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { isInterfaceName } from "../../hw/net/interface.ts";
import { ATTESTER_PEER } from "../token.ts";
import type { RunArguments } from "./arguments.ts";
import { wholeNumber } from "./whole-number.ts";

/** A TCP port of this machine to listen at. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** How the token reaches its computer: over a bus that a computer sees, or within this process. */
export interface BusArguments {
  readonly usbip?: TcpAddress;
  /** Sticks on USB/IP. */
  readonly count: number;
  readonly usbredir?: { readonly path: string } | TcpAddress;
  /** The name of the interface. */
  readonly tap?: string;
  /** Of the USB device. */
  readonly serial?: string;
  readonly pcap?: string;
}

export const USBIP_ADDRESS: TcpAddress = { host: "127.0.0.1", port: 3240 };
const DEFAULT_TAP = "fobnail0";
/** One digit selects one. */
export const MAX_STICKS = 9;
/** 169.254.0.0/16 (RFC 3927). */
export const LINK_LOCAL_BITS = 16;
const MAX_PORT = 65_535;
/** sun_path of unix(7), with the zero at the end. */
const MAX_SOCKET_PATH = 107;

/** `PORT` of the loopback address, `HOST:PORT`, `[IPv6]:PORT`. */
export function parseTcpAddress(text: string): TcpAddress {
  const [, bracketed, plain, port] = /^(?:(?:\[([^\]]+)\]|([^:[\]/\s]+)):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > MAX_PORT) {
    throw new InvalidArgumentError("PORT or HOST:PORT belongs here, such as 127.0.0.1:3240.");
  }
  return { host: bracketed ?? plain ?? USBIP_ADDRESS.host, port: Number(port) };
}

/** A number alone is a port, as for USB/IP; `./3241` is a path. */
function parseUsbredir(text: string): { readonly path: string } | TcpAddress {
  if (/(^|:)\d+$/.test(text) && !text.includes("/")) return parseTcpAddress(text);
  if (text === "" || Buffer.byteLength(text) > MAX_SOCKET_PATH) {
    throw new InvalidArgumentError(
      `The path of a socket, of at most ${MAX_SOCKET_PATH} bytes, or [HOST:]PORT belongs here.`,
    );
  }
  return { path: text };
}

function interfaceName(text: string): string {
  if (!isInterfaceName(text))
    throw new InvalidArgumentError("The name of an interface, such as fobnail0, belongs here.");
  return text;
}

function serialNumber(text: string): string {
  if (!/^[!-~]{1,120}$/.test(text)) throw new InvalidArgumentError("1 to 120 letters, digits and signs belong here.");
  return text;
}

/** As `parseTcpAddress` understands it. */
export function sayTcp({ host, port }: TcpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function busOptions(): readonly Option[] {
  return [
    new Option("--usbip [host:port]", "offer the stick on USB/IP")
      .preset(sayTcp(USBIP_ADDRESS))
      .argParser(parseTcpAddress),
    new Option("--count <number>", "with --usbip: sticks 1-1, 1-2, ..., each with its own state in a folder of --state")
      .argParser(wholeNumber(1, MAX_STICKS))
      .default(1),
    new Option("--usbredir <path|[host:]port>", "offer the stick to a virtual machine, at a socket").argParser(
      parseUsbredir,
    ),
    new Option("--tap [name]", "speak over a TAP interface, without USB").preset(DEFAULT_TAP).argParser(interfaceName),
    new Option("--serial <text>", "the stick's serial number (default: TEST; of more sticks also TEST-2, ...)").argParser(serialNumber), // biome-ignore format: one option
    new Option("--pcap <file>", "write what goes over the token's link, for Wireshark"),
  ];
}

/** The bus id of the stick with this number, from 0. */
export const busidOf = (index: number): string => `1-${index + 1}`;

export type LinkKind = "usb" | "udp" | "usbip" | "usbredir" | "tap";

export function linkOf({ net, usbip, usbredir, tap }: RunArguments): LinkKind {
  if (usbip !== undefined) return "usbip";
  if (usbredir !== undefined) return "usbredir";
  return tap === undefined ? net : "tap";
}

export const isBus = (link: LinkKind): boolean => link === "usbip" || link === "usbredir" || link === "tap";

/** With what the chosen link implies. Throws Stop for options that do not go together. */
export function settleLink(command: Command, args: RunArguments): RunArguments {
  const given = (name: string) => command.getOptionValueSource(name) === "cli";
  const links = ["net", "usbip", "usbredir", "tap"].filter(given);
  if (links.length > 1) {
    throw new Stop(
      Exit.Usage,
      `${links.map((name) => `--${name}`).join(" and ")} exclude each other: a token has one link`,
    );
  }
  const link = linkOf(args);
  const problem = [...problems(args, link, given)][0];
  if (problem !== undefined) throw new Stop(Exit.Usage, problem);
  if (!isBus(link) || given("attester")) return args;
  return { ...args, attester: ATTESTER_PEER };
}

function* problems(args: RunArguments, link: LinkKind, given: (name: string) => boolean): Generator<string> {
  if (given("count") && link !== "usbip") yield "--count is for --usbip: any other link carries one stick";
  if (args.count > 1 && args.once) yield "--once is for one stick: --count gives more than one verdict";
  if (args.serial !== undefined && (link === "tap" || link === "udp")) {
    yield `--serial is of a USB stick: ${link === "tap" ? "--tap" : "--net udp"} shows none`;
  }
  for (const name of ["bind", "port"]) {
    if (given(name) && isBus(link)) {
      yield `--${name} is of a socket on this machine: over --${link} the token has an address of its own, 169.254.0.1, and port 5683`;
    }
  }
}
