import { InvalidArgumentError, Option } from "commander";
import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { chooseStick, parseUsbSpec, type UsbSpec, UsbSpecError } from "../../hw/usb-host/spec.ts";
import { type UsbHost, UsbHostError, type UsbHostReason } from "../../hw/usb-host/usb-host.ts";
import { createUsbipHost } from "../../hw/usb-host/usbip-host.ts";
import type { Log, Unsubscribe } from "../../shared/ports/index.ts";
import { Exit, NOBODY_READS, Stop, untilSignal } from "./exit.ts";
import { asClause, isForeseen, StickNetwork } from "./stick-network.ts";

/** `--usb`: the stick is taken from the kernel and driven by this program. */

function usbSpec(text: string): UsbSpec {
  try {
    return parseUsbSpec(text);
  } catch (error) {
    if (error instanceof UsbSpecError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** Excludes --token. */
export function usbOption(): Option {
  return new Option(
    "--usb [stick]",
    "drive the stick from here, without the kernel: the only one, by SERIAL or bus path, or usbip:HOST[:PORT][/BUSID]",
  )
    .preset("")
    .argParser(usbSpec)
    .conflicts("token");
}

export async function hostOf(spec: UsbSpec): Promise<UsbHost> {
  // Not for one bus id alone: a wrong one is answered with those there are.
  if (spec.kind === "usbip") return createUsbipHost({ host: spec.host, port: spec.port });
  // Loaded only where it is asked for: it holds native code.
  const { createNodeUsbHost } = await import("../../hw/usb-host/node-usb.ts");
  return createNodeUsbHost();
}

/** The network of the stick that `spec` names. */
async function networkOf(spec: UsbSpec, log: Log): Promise<StickNetwork> {
  const host = await hostOf(spec);
  const isRemote = spec.kind === "usbip";
  const name = isRemote ? spec.busid : spec.serial;
  const prefix = isRemote ? `usbip:${spec.host.includes(":") ? `[${spec.host}]` : spec.host}:${spec.port}/` : "";
  return new StickNetwork({
    host,
    choose: (sticks) => chooseStick(sticks, name, prefix),
    clock: realClock,
    random: systemRandom,
    log,
  });
}

export interface LinkOptions {
  /** A stick may come later, go and come back. */
  readonly waits?: boolean;
  /** Ends waiting for a link that is not open yet. */
  readonly signal?: AbortSignal;
}

/** What a stick that comes may change. */
const PASSING: readonly UsbHostReason[] = ["none", "gone", "busy"];

/**
 * Takes the stick, for `waits` as soon as it is there and again when it comes back; `signal` gives up what is not done yet. Rejects
 * with Stop: 2 when several sticks may be meant, 3 when the stick cannot be had.
 */
export async function openUsbNetwork(
  spec: UsbSpec,
  log: Log,
  { waits = false, signal }: LinkOptions = {},
): Promise<StickNetwork> {
  const network = await networkOf(spec, log);
  const giveUp = () => void network.close();
  signal?.addEventListener("abort", giveUp);
  try {
    await network.plug();
  } catch (error) {
    const passes = error instanceof UsbHostError && PASSING.includes(error.reason);
    if (!waits || !passes || signal?.aborted === true) {
      await network.close();
      throw usbStop(error);
    }
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
  if (waits) network.keepPlugged();
  return network;
}

/** Stop with the exit code for it; what nobody foresaw as it is. */
export function usbStop(error: unknown): unknown {
  if (!isForeseen(error)) return error;
  const several = error instanceof UsbHostError && error.reason === "several";
  return new Stop(several ? Exit.Usage : Exit.Unreached, asClause(error.message), { cause: error });
}

interface Closable {
  close(): Promise<void>;
}

/** Nothing where it was not opened. */
export function closeOpened(opening: Promise<Closable>): Promise<void> {
  return opening.then(
    (opened) => opened.close(),
    () => undefined,
  );
}

/** Until the returned function is called, a signal ends the program as it always does, but not before what `open` opens is closed. */
export function closeOnSignal<T extends Closable>(
  open: (signal: AbortSignal) => Promise<T>,
): { readonly opening: Promise<T>; readonly release: Unsubscribe } {
  const signals = untilSignal();
  const end = new AbortController();
  const opening = open(end.signal);
  void signals.signal.then(async (name) => {
    end.abort(name);
    await closeOpened(opening);
    signals.release();
    process.kill(process.pid, name === NOBODY_READS ? "SIGTERM" : name); // which node ignores
  });
  return { opening, release: () => signals.release() };
}
