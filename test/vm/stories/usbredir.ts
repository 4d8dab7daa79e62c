/** The stick on QEMU's own bus, under the kernel's driver. */
import { bound, bringUp, pings, versions } from "../network.ts";
import { type Scene, startUsbredirToken } from "../scene.ts";

export async function usbredirStory(scene: Scene): Promise<void> {
  const { guest, checks } = scene;
  const token = startUsbredirToken(scene, "usbredir");
  await checks.check("cdc_eem binds", () => bound(scene, "usb0"));
  await checks.check("the interface comes up", () => bringUp(scene, "usb0"));
  await checks.check("ping, every size from 14 to 1472", () => pings(scene, "usb0"));
  await checks.check("CoAP: the token's versions", () => versions(scene));
  await checks.check("unplugged: the interface is gone", async () => {
    token.program.type("u");
    await token.event("detached");
    await guest.must("wait_for 10 gone usb0");
    return undefined;
  });
  await checks.check("plugged in again: it is back", async () => {
    token.program.type("u");
    await bringUp(scene, "usb0");
    await token.event("attached");
    return bound(scene, "usb0");
  });
  await checks.check("the token ends: the interface is gone", async () => {
    await token.quit();
    await guest.must("wait_for 10 gone usb0");
    return undefined;
  });
}
