import { Exit, type ExitCode, Stop } from "../../../attester/cli/exit.ts";
import { DEFAULT_TOKEN } from "../../../attester/cli/token-link.ts";
import { closeOnSignal, closeOpened, openUsbNetwork } from "../../../attester/cli/usb-link.ts";
import type { UsbSpec } from "../../../hw/usb-host/spec.ts";
import type { Log } from "../../../shared/ports/index.ts";
import type { Target } from "./target.ts";
import { answers, type UdpTargetOptions, udpTarget } from "./udp.ts";

export interface UsbTargetOptions extends Omit<UdpTargetOptions, "token" | "open" | "name"> {
  /** The only stick unless said otherwise. */
  readonly usb?: UsbSpec | undefined;
}

const THE_ONLY_ONE: UsbSpec = { kind: "local", serial: undefined };

const log: Log = {
  write(level, message) {
    if (level === "warn" || level === "error") console.error(message);
  },
};

/** A stick that is driven from here; it is given back at the end, also on a signal. Rejects with Stop. */
export async function withUsbTarget(
  { usb = THE_ONLY_ONE, ...options }: UsbTargetOptions,
  use: (target: Target) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { opening, release } = closeOnSignal((signal) => openUsbNetwork(usb, log, { signal }));
  try {
    const stick = await opening;
    const [token, open] = [DEFAULT_TOKEN, async () => stick.udp()];
    if (!(await answers(token, open))) throw new Stop(Exit.Unreached, "no token answers on the stick's network");
    return await use(await udpTarget({ ...options, token, open, name: `usb:${stick.at ?? "gone"}` }));
  } finally {
    release();
    await closeOpened(opening);
  }
}
