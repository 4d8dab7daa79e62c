import { type Command, InvalidArgumentError, Option } from "commander";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { openVhci, type Vhci, VhciError } from "../../hw/host/vhci.ts";
import { ImportError, type Imported, importStick } from "../../hw/host/vhci-import.ts";
import { InterfaceError, setUpInterface } from "../../hw/net/interface.ts";
import { isBusid } from "../../hw/usb-host/spec.ts";
import { ATTESTER_PEER, TOKEN_ADDRESS } from "../token.ts";
import { LINK_LOCAL_BITS } from "./bus-link.ts";
import { parseTcpAddress, sayTcp, type TcpAddress, USBIP_ADDRESS } from "./bus-options.ts";
import { wholeNumber } from "./whole-number.ts";

/** `fobnail token attach`: a stick of a USB/IP server plugged into this computer, without the usbip program. */

const EXAMPLES = `
For Linux, as root. The kernel's modules vhci-hcd and cdc_eem must be there: nothing is loaded here.

Examples:
  fobnail token attach                                     the stick of "fobnail token --usbip" on this computer
  fobnail token attach --usbip 192.0.2.7:3240 --busid 1-2  the second stick of another
  fobnail token attach --detach 0                          unplugs what is in port 0

Exit codes: 0 done, 1 refused, 2 usage, 3 no server or no kernel module, 70 bug.`;

interface AttachArguments {
  readonly usbip: TcpAddress;
  readonly busid: string;
  readonly detach?: number;
  /** Where sysfs is. */
  readonly sysfs: string;
}

const MAX_PORT = 1_023;
const ENUMERATION_MS = 10_000;
/** A driver binds, and udev may give the interface another name. */
const DRIVER_MS = 5_000;
const NAMINGS = 3;

function busid(text: string): string {
  if (!isBusid(text)) throw new InvalidArgumentError("A bus id such as 1-1 belongs here.");
  return text;
}

export function addAttach(program: Command): void {
  program
    .command("attach")
    .description("plug a stick on USB/IP into this computer")
    .addOption(
      new Option("--usbip <host:port>", "its server")
        .argParser(parseTcpAddress)
        .default(USBIP_ADDRESS, sayTcp(USBIP_ADDRESS)),
    )
    .addOption(new Option("--busid <busid>", "which stick").argParser(busid).default("1-1"))
    .addOption(new Option("--detach <port>", "unplug what is in this port instead").argParser(wholeNumber(0, MAX_PORT)))
    .addOption(new Option("--sysfs <dir>", "where sysfs is").default("/sys").hideHelp())
    .addHelpText("after", EXAMPLES)
    .action((args: AttachArguments) => (args.detach === undefined ? attach(args) : detach(args.sysfs, args.detach)));
}

function detach(sysfs: string, port: number): void {
  withSentences(() => openVhci(sysfs).detach(port));
  console.log(`Port ${port} is empty`);
}

async function attach({ usbip, busid: wanted, sysfs }: AttachArguments): Promise<void> {
  const vhci = withSentences(() => openVhci(sysfs)); // before the server is asked: it would tell others that the stick is taken
  const imported = await importStick({ ...usbip, busid: wanted }).catch((error: unknown) => {
    throw stopOf(error);
  });
  const { device } = imported;
  const port = plugInto(vhci, imported);
  const ids = [device.idVendor, device.idProduct].map((id) => id.toString(16).padStart(4, "0")).join(":");
  console.log(`${device.busid} of ${sayTcp(usbip)} (${ids}) is plugged into port ${port} of vhci-hcd`);
  const unplug = `"fobnail token attach --detach ${port}" unplugs it`;

  const local = await vhci.busidOf(port, realClock, ENUMERATION_MS);
  if (local === undefined) {
    throw new Stop(
      Exit.Refused,
      `Linux did not take it up within ${ENUMERATION_MS / 1_000} s: dmesg says why; ${unplug}`,
    );
  }
  await networkOf(vhci, local);
  console.log(`Unplug it with: fobnail token attach --detach ${port}`);
}

/** The kernel's copy of the descriptor keeps the connection. */
function plugInto(vhci: Vhci, imported: Imported): number {
  try {
    return withSentences(() => vhci.attach({ ...imported.device, fd: imported.fd }));
  } finally {
    imported.close();
  }
}

/** Waits for the interface, and gives it the computer's address on the link. */
async function networkOf(vhci: Vhci, local: string): Promise<void> {
  for (let naming = 1; ; naming++) {
    const name = await vhci.interfaceOf(local, realClock, DRIVER_MS);
    if (name === undefined) {
      throw new Stop(
        Exit.Unreached,
        `Linux calls it ${local}, and has no driver that makes a network interface of it; as root: modprobe cdc_eem`,
      );
    }
    try {
      const address = await setUpInterface(name, { address: ATTESTER_PEER.address, prefixBits: LINK_LOCAL_BITS });
      console.log(
        `Linux calls it ${local}; its interface ${name} has the address ${address}, the token ${TOKEN_ADDRESS}`,
      );
      return;
    } catch (error) {
      const renamed = error instanceof InterfaceError && error.reason === "gone" && naming < NAMINGS;
      if (!renamed) throw stopOf(error);
    }
  }
}

function withSentences<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw stopOf(error);
  }
}

function stopOf(error: unknown): unknown {
  if (error instanceof VhciError) {
    return new Stop(error.reason === "absent" ? Exit.Unreached : Exit.Refused, error.message, { cause: error });
  }
  if (error instanceof ImportError) {
    return new Stop(error.reason === "unreached" ? Exit.Unreached : Exit.Refused, error.message, { cause: error });
  }
  if (error instanceof InterfaceError) return new Stop(Exit.Refused, error.message, { cause: error });
  return error;
}
