/** The value of --usb: nothing (the only stick), SERIAL, a bus path, or `usbip:HOST[:PORT][/BUSID]`; and which stick it means. */
import { printable } from "../terminal/printable.ts";
import { type FoundStick, UsbHostError } from "./usb-host.ts";

export const USB_SPEC_FORMS = "--usb | --usb SERIAL | --usb BUS-PATH | --usb usbip:HOST[:PORT][/BUSID]";

export const USBIP_PORT = 3240;
/** The bus id field of USB/IP has 32 bytes, one of them the zero behind it. */
const MAX_BUSID = 31;

export type UsbSpec =
  | {
      readonly kind: "local";
      /** Its serial number or its place; undefined is the only one there is. */
      readonly serial: string | undefined;
    }
  | {
      readonly kind: "usbip";
      readonly host: string;
      readonly port: number;
      /** Undefined is the only one there is. */
      readonly busid: string | undefined;
    };

/** The text names no stick: a usage error, exit code 2. */
export class UsbSpecError extends Error {
  override readonly name = "UsbSpecError";

  constructor(text: string, problem: string) {
    super(`--usb ${text}: ${problem}; one of ${USB_SPEC_FORMS}`);
  }
}

/** `true` is the option without a value. Throws UsbSpecError. */
export function parseUsbSpec(text: string | true): UsbSpec {
  if (text === true || text === "") return { kind: "local", serial: undefined };
  if (!text.startsWith("usbip:")) return { kind: "local", serial: text };
  const [, bracketed, plain, port = `${USBIP_PORT}`, busid] =
    /^usbip:(?:\[([^\]/]+)\]|([^:/[\]]+))(?::(\d{1,5}))?(?:\/(.+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw new UsbSpecError(text, "not an address");
  const number = Number(port);
  if (number < 1 || number > 65_535) throw new UsbSpecError(text, `${port} is no port`);
  if (busid !== undefined && !isBusid(busid)) throw new UsbSpecError(text, `${busid} is no bus id, such as 1-1`);
  return { kind: "usbip", host, port: number, busid };
}

/** `BUS-PORT` with the ports of hubs behind it, as Linux names devices: 1-1, 3-2.4. */
export function isBusid(text: string): boolean {
  return text.length <= MAX_BUSID && /^\d+-\d+(\.\d+)*$/.test(text);
}

const hex = (id: number) => id.toString(16).padStart(4, "0");

/** One line of the list: `1-2  1234:4321  Fobnail  serial TEST  taken by cdc_eem`. Names are the stick's own: none steers the terminal. */
export function describeStick(stick: FoundStick): string {
  const { at, vendorId, productId, manufacturer, product, serial } = stick;
  const names = [...new Set([manufacturer, product])].filter((name) => name !== undefined && name !== "");
  const parts = [at, `${hex(vendorId)}:${hex(productId)}`, names.join(" ")];
  if (serial !== undefined) parts.push(`serial ${serial}`);
  parts.push(describeState(stick));
  return parts
    .filter((part) => part !== "")
    .map(printable)
    .join("  ");
}

/** Empty where it is not known. */
export function describeState({ state, driver }: FoundStick): string {
  if (state === "free") return "free";
  if (state === "kernel") return `taken by the kernel's driver ${driver ?? "of unknown name"}`;
  return state === "claimed" ? "in use by a program" : "";
}

const oneALine = (sticks: readonly FoundStick[]) => sticks.map((stick) => `\n  ${describeStick(stick)}`).join("");

/**
 * The token with this serial number or at this place, or the only token. Throws UsbHostError: `none`, or `several` with a list
 * when more than one fits. `prefix` is what stands before a place in --usb: nothing, or `usbip:HOST:PORT/`.
 */
export function chooseStick(sticks: readonly FoundStick[], serial?: string, prefix = ""): FoundStick {
  const tokens = sticks.filter(({ isToken }) => isToken);
  const fitting =
    serial === undefined ? tokens : tokens.filter((stick) => stick.serial === serial || stick.at === serial);
  const [first, ...more] = fitting;
  if (first === undefined) throw new UsbHostError("none", sayNone(tokens, serial));
  if (more.length === 0) return first;
  const name = more.every((stick) => stick.serial === first.serial) ? "place, such as" : "serial number, such as";
  const example = name.startsWith("place") ? `${prefix}${first.at}` : (first.serial ?? first.at);
  const which = serial === undefined ? "are plugged in" : `have the serial number ${printable(serial)}`;
  throw new UsbHostError(
    "several",
    `${fitting.length} sticks ${which}; say which by its ${name} --usb ${printable(example)}:${oneALine(fitting)}`,
  );
}

function sayNone(tokens: readonly FoundStick[], serial: string | undefined): string {
  if (serial === undefined) return "No Fobnail token is plugged in";
  const wanted = printable(serial);
  if (tokens.length === 0) return `No Fobnail token is plugged in, neither ${wanted} nor any other`;
  return `No Fobnail token has the serial number ${wanted} or is at that place; there is:${oneALine(tokens)}`;
}
