import { Command } from "commander";
import { jsonLine } from "../../hw/terminal/json.ts";
import { describeState, type UsbSpec } from "../../hw/usb-host/spec.ts";
import type { FoundStick } from "../../hw/usb-host/usb-host.ts";
import { tableOf } from "../owner/cli/table.ts";
import { hostOf, usbOption, usbStop } from "./usb-link.ts";

/** `fobnail usb`: what is plugged in, without taking it. */

const EXAMPLES = `
Examples:
  fobnail usb list                            tokens on this computer's USB, and who has them
  fobnail usb list --all                      the other devices, too
  fobnail usb list --usb usbip:127.0.0.1      sticks of "fobnail token --usbip"
  fobnail usb list --json                     one JSON object a line

Exit codes: 0 done, 2 usage, 3 no USB here or no server, 70 bug.`;

interface ListArguments {
  readonly usb?: UsbSpec;
  readonly all: boolean;
  readonly json: boolean;
}

const HERE: UsbSpec = { kind: "local", serial: undefined };

const hex = (id: number): string => id.toString(16).padStart(4, "0");

const idOf = ({ vendorId, productId }: FoundStick): string => `${hex(vendorId)}:${hex(productId)}`;

/** `fobnail usb`. */
export function usbCommand(name: string): Command {
  const program = new Command(name)
    .description("sticks that are plugged in, seen without taking them")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES);
  program
    .command("list", { isDefault: true })
    .description("tokens by their ids, class and names, and whether they are free; the default command")
    .addOption(usbOption())
    .option("--all", "every device", false)
    .option("--json", "one JSON object a line", false)
    .addHelpText("after", EXAMPLES)
    .action((args: ListArguments) => list(args));
  return program;
}

async function list({ usb = HERE, all, json }: ListArguments): Promise<void> {
  const found = await lookAt(usb);
  const shown = all ? found : found.filter(({ isToken }) => isToken);
  if (json) {
    for (const stick of shown) console.log(jsonLine(factsOf(stick)));
    return;
  }
  if (shown.length > 0) {
    console.log(tableOf(["AT", "ID", "NAME", "SERIAL", "STATE"], shown.map(rowOf)));
  }
  const others = found.length - shown.length;
  if (shown.length === 0)
    console.log(`No Fobnail token is plugged in${others === 0 ? "" : `; other devices: ${others}`}`);
}

/** In the order of their places; those that are meant, where some are. */
async function lookAt(spec: UsbSpec): Promise<readonly FoundStick[]> {
  const wanted = spec.kind === "local" ? spec.serial : spec.busid;
  const host = await hostOf(spec);
  try {
    const found = await host.find();
    const meant = found.filter(({ at, serial }) => wanted === undefined || wanted === at || wanted === serial);
    return [...meant].sort((a, b) => a.at.localeCompare(b.at, "en", { numeric: true }));
  } catch (error) {
    throw usbStop(error);
  } finally {
    await host.close();
  }
}

function rowOf(stick: FoundStick): readonly string[] {
  const { at, manufacturer, product, serial } = stick;
  const names = [...new Set([manufacturer, product])].filter((name) => name !== undefined && name !== "");
  const cells = [at, idOf(stick), names.join(" "), serial ?? "", describeState(stick)];
  return cells.map((cell) => (cell === "" ? "-" : cell));
}

function factsOf(stick: FoundStick) {
  const { at, manufacturer, product, serial, state, driver, isToken } = stick;
  return { at, id: idOf(stick), manufacturer, product, serial, state, driver, isToken };
}
