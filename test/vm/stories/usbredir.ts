/** The stick on QEMU's own bus, under the kernel's driver. */
import { bound, bringUp, pings, versions } from "../network.ts";
import { demand, type GuestScene, overUsbredir, startToken } from "../scene.ts";

export async function usbredirStory(scene: GuestScene): Promise<void> {
  const { guest, report, cast } = scene;
  const token = startToken(cast, "usbredir", ...overUsbredir(cast));
  await report.check("cdc_eem binds", () => bound(scene, "usb0"));
  await report.check("the interface comes up", () => bringUp(scene, "usb0"));
  await report.check("ping, every size from 14 to 1472", () => pings(scene, "usb0"));
  await report.check("CoAP: the token's versions", () => versions(scene));
  await report.check("unplugged: the interface is gone", async () => {
    token.program.type("u");
    await token.event("detached");
    await guest.must("wait_for 10 gone usb0");
    return undefined;
  });
  await report.check("plugged in again: it is back", async () => {
    token.program.type("u");
    await bringUp(scene, "usb0");
    await token.event("attached");
    return bound(scene, "usb0");
  });
  await report.check("the token ends: the interface is gone", async () => {
    await token.quit();
    await guest.must("wait_for 10 gone usb0");
    const trouble = await guest.must("dmesg | grep -E 'cut here|Oops|BUG:' || true");
    demand(trouble === "", `the kernel complains: ${trouble}`);
    return undefined;
  });
}
