import { type Command, InvalidArgumentError, Option } from "commander";
import { isBusid } from "../../hw/usb-host/spec.ts";
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

export interface AttachArguments {
  readonly usbip: TcpAddress;
  readonly busid: string;
  readonly detach?: number;
  /** Where sysfs is. */
  readonly sysfs: string;
}

const MAX_PORT = 1_023;

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
    .action(async (args: AttachArguments) => {
      const { attach, detach } = await import("./vhci-port.ts");
      if (args.detach === undefined) await attach(args);
      else detach(args.sysfs, args.detach);
    });
}
