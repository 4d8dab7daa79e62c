import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linuxHost } from "../../../hw/host/index.ts";

describe("the machine under /sys", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "fobnail-sys-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** An interface as the kernel lays it out: class/net/NAME links to the device's folder, whose `subsystem` names the bus. */
  function addInterface(name: string, mac: string, device: string | undefined, bus = "pci", type = "1") {
    const base = join(root, device ?? "devices/virtual", "net", name);
    mkdirSync(base, { recursive: true });
    writeFileSync(join(base, "address"), `${mac}\n`);
    writeFileSync(join(base, "type"), `${type}\n`);
    if (device !== undefined) {
      symlinkSync(join(root, device), join(base, "device"));
      mkdirSync(join(root, "bus", bus), { recursive: true });
      symlinkSync(join(root, "bus", bus), join(root, device, "subsystem"));
    }
    mkdirSync(join(root, "class/net"), { recursive: true });
    symlinkSync(base, join(root, "class/net", name));
  }

  function addTables(entryPoint: Uint8Array, table: Uint8Array) {
    const folder = join(root, "firmware/dmi/tables");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "smbios_entry_point"), entryPoint);
    writeFileSync(join(folder, "DMI"), table);
  }

  it("shows PCI cards with their address, USB and virtual interfaces without", async () => {
    addInterface("enp1s0", "00:0d:b9:53:d2:50", "devices/pci0000:00/0000:00:02.2/0000:01:00.0");
    addInterface("ens3", "52:54:00:12:34:56", "devices/pci0000:00/0000:00:03.0/virtio0", "virtio");
    addInterface("usb0", "6e:c4:01:9e:0f:2c", "devices/pci0000:00/0000:00:10.0/usb1/1-1/1-1:1.0", "usb");
    addInterface("br0", "02:42:ac:11:00:02", undefined);
    addInterface("lo", "00:00:00:00:00:00", undefined, "", "772");
    const cards = await linuxHost(root).networkInterfaces();
    assert.deepEqual(
      cards.map((card) => [card.name, card.pci, card.mac[5]]),
      [
        ["br0", undefined, 0x02],
        ["enp1s0", "0000:01:00.0", 0x50],
        ["ens3", "0000:00:03.0", 0x56],
        ["usb0", undefined, 0x2c],
      ],
    );
  });

  it("reads the raw tables", async () => {
    addTables(Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5));
    const host = linuxHost(root);
    assert.deepEqual(await host.smbiosEntryPoint(), Uint8Array.of(1, 2));
    assert.deepEqual(await host.smbiosTable(), Uint8Array.of(3, 4, 5));
  });

  it("says what is missing", async () => {
    const host = linuxHost(root);
    await assert.rejects(host.smbiosTable(), /DMI is not there: this machine shows no SMBIOS tables$/);
    await assert.rejects(host.networkInterfaces(), /cannot list .*class\/net: ENOENT$/);
  });

  it("says that only root may read", async () => {
    addTables(Uint8Array.of(1), Uint8Array.of(1));
    chmodSync(join(root, "firmware/dmi/tables/DMI"), 0o000);
    const read = linuxHost(root).smbiosTable();
    if (process.getuid?.() === 0) assert.deepEqual(await read, Uint8Array.of(1));
    else await assert.rejects(read, /DMI is readable by root only$/);
  });

  it("refuses a table over its limit", async () => {
    addTables(new Uint8Array(65), new Uint8Array((1 << 20) + 1));
    await assert.rejects(linuxHost(root).smbiosEntryPoint(), /holds more than 64 bytes/);
    await assert.rejects(linuxHost(root).smbiosTable(), /holds more than 1048576 bytes/);
  });
});
