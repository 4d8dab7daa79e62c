/** The stick on USB/IP: attached by the usbip program, by our own attach, and two of them at once. */

import { onPath } from "../../../attester/cli/os/programs.ts";
import { USBIP_MODULES } from "../initramfs.ts";
import { bound, bringUp, pings, versions } from "../network.ts";
import { demand, fobnail, type Scene, startToken, TOKEN_ADDRESS } from "../scene.ts";

/** QEMU's user network: the guest, and the machine outside. */
const GUEST_ADDRESS = "10.0.2.15/24";
const OUTSIDE = "10.0.2.2";
const MODULES_WITHIN_MS = 90_000;
const ATTACH_WITHIN_MS = 100_000;

const serialOf = (name: string) => `cat /sys/class/net/${name}/device/../serial`;

const macBehind = (name: string) => `arp -n -i ${name} ${TOKEN_ADDRESS} | grep -o '..:..:..:..:..:..'`;

export async function usbipStory(scene: Scene): Promise<void> {
  const { guest, checks } = scene;
  const token = startToken(scene, "usbip", "--usbip", "127.0.0.1:0", "--count", "2");
  const { port } = await token.event("usbip");
  const server = `${OUTSIDE}:${String(port)}`;
  const usbip = (...args: readonly string[]) => `here usbip --tcp-port ${String(port)} ${args.join(" ")}`;
  const attach = (busid: string) => `here ${fobnail("token", "attach", "--usbip", server, "--busid", busid)}`;
  const detach = (number: string) => `here ${fobnail("token", "attach", "--detach", number)}`;

  await checks.check("vhci-hcd is loaded", async () => {
    const modules = USBIP_MODULES.map((name) => `insmod /modules/${name}.ko`).join(" && ");
    await guest.must(`${modules} && interface_up eth0 ${GUEST_ADDRESS}`, MODULES_WITHIN_MS);
    return undefined;
  });

  if (onPath("usbip")) {
    await checks.check("usbip lists both sticks", async () => {
      const text = await guest.must(usbip("list", "-r", OUTSIDE), ATTACH_WITHIN_MS);
      demand(/1-1: .*\(1234:4321\)/.test(text) && /1-2: .*\(1234:4321\)/.test(text), text);
      return undefined;
    });
    await checks.check("usbip attach: cdc_eem binds", async () => {
      await guest.must(usbip("attach", "-r", OUTSIDE, "-b", "1-1"), ATTACH_WITHIN_MS);
      return bound(scene, "usb0");
    });
    await checks.check("usbip: ping, every size from 14 to 1472", async () => {
      await bringUp(scene, "usb0");
      return pings(scene, "usb0");
    });
    await checks.check("usbip: CoAP: the token's versions", () => versions(scene));
    await checks.check("usbip detach: the interface is gone", async () => {
      await guest.must(`${usbip("detach", "-p", "00")} && wait_for 10 gone usb0`, ATTACH_WITHIN_MS);
      return undefined;
    });
  } else checks.skip("usbip list, attach, detach", "usbip is not installed");

  await checks.check("own attach: cdc_eem binds, the address is set", async () => {
    const text = await guest.must(attach("1-1"), ATTACH_WITHIN_MS);
    demand(/interface usb0 has the address 169\.254\.0\.8/.test(text), text);
    return bound(scene, "usb0");
  });
  await checks.check("own attach: ping, every size from 14 to 1472", () => pings(scene, "usb0"));
  await checks.check("own attach: CoAP: the token's versions", () => versions(scene));

  await checks.check("two sticks at once", async () => {
    await guest.must(attach("1-2"), ATTACH_WITHIN_MS);
    await bound(scene, "usb1");
    const serials = (await guest.must(`${serialOf("usb0")}; ${serialOf("usb1")}`)).split("\n");
    demand(serials[0] !== serials[1], `both have serial number ${serials[0]}`);
    return `serial numbers ${serials.join(" and ")}`;
  });
  await checks.check("both answer, each on its own interface", async () => {
    const both = [await pings(scene, "usb1", [1_000, 1_100]), await pings(scene, "usb0", [1_000, 1_100])];
    const macs = (await guest.must(`${macBehind("usb0")}; ${macBehind("usb1")}`)).split("\n");
    demand(macs[0] !== macs[1], `both have MAC address ${macs[0]}`);
    await guest.must("ip link set usb0 down");
    await versions(scene);
    await guest.must("ip link set usb0 up");
    return `${both.join("; ")}; MAC addresses ${macs.join(" and ")}`;
  });
  await checks.check("an unplugged stick leaves the other alone", async () => {
    token.program.type("1");
    token.program.type("u");
    await guest.must("wait_for 10 gone usb0");
    await versions(scene);
    return undefined;
  });
  await checks.check("own detach: the interface is gone", async () => {
    const used = "for s in /sys/devices/platform/vhci_hcd.*/status*; do awk '$3 == 6 { print $2 + 0 }' $s; done";
    const number = await guest.must(used);
    await guest.must(`${detach(number)} && wait_for 10 gone usb1`, ATTACH_WITHIN_MS);
    return `port ${number}`;
  });
  await token.quit();
}
