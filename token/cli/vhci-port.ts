import { Exit, Stop } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { openVhci, type Vhci, VhciError } from "../../hw/host/vhci.ts";
import { ImportError, type Imported, importStick } from "../../hw/host/vhci-import.ts";
import { InterfaceError, setUpInterface } from "../../hw/net/interface.ts";
import { ATTESTER_PEER, TOKEN_ADDRESS } from "../token.ts";
import type { AttachArguments } from "./attach.ts";
import { LINK_LOCAL_BITS, sayTcp } from "./bus-options.ts";

/** What `fobnail token attach` does: sticks in the ports of vhci-hcd. */

const ENUMERATION_MS = 10_000;
/** A driver binds, and udev may give the interface another name. */
const DRIVER_MS = 5_000;
const NAMINGS = 3;

/** Throws Stop. */
export function detach(sysfs: string, port: number): void {
  withSentences(() => openVhci(sysfs).detach(port));
  console.log(`Port ${port} is empty`);
}

/** Rejects with Stop. */
export async function attach({ usbip, busid: wanted, sysfs }: AttachArguments): Promise<void> {
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
