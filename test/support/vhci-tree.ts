/** What vhci-hcd shows below /sys, as files: two ports for each of two controllers. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HEAD = "hub port sta spd dev      sockfd local_busid\n";
export const Sta = { Free: "004", NotAssigned: "005", Used: "006", Error: "007" } as const;

const pad = (value: number, digits: number) => `${value}`.padStart(digits, "0");

export class VhciTree {
  readonly root = mkdtempSync(join(tmpdir(), "fobnail-vhci-"));
  /** By the number of the port: its line. */
  readonly #lines = new Map<number, string>();

  constructor() {
    mkdirSync(this.#vhci());
    mkdirSync(join(this.root, "bus/usb/devices"), { recursive: true });
    for (const file of ["attach", "detach"]) writeFileSync(this.#vhci(file), "");
    for (const port of [0, 1, 2, 3, 4, 5, 6, 7]) this.port(port, Sta.Free);
  }

  /** As vhci_sysfs.c prints it: ports 0, 1 and 4, 5 are for devices up to high speed, 2, 3 and 6, 7 for faster ones. */
  port(port: number, sta: string, busid = "0-0"): void {
    const hub = port % 4 < 2 ? "hs" : "ss";
    const used = sta === Sta.Used ? `002 00010002 000012 ${busid}` : "000 00000000 000000 0-0";
    this.#lines.set(port, `${hub}  ${pad(port, 4)} ${sta} ${used}\n`);
    for (const [controller, file] of ["status", "status.1"].entries()) {
      const lines = [0, 1, 2, 3].map((place) => this.#lines.get(4 * controller + place) ?? "");
      writeFileSync(this.#vhci(file), HEAD + lines.join(""));
    }
  }

  /** A device of the bus, and the network interface that its driver made. */
  device(busid: string, network?: string): void {
    const devices = join(this.root, "bus/usb/devices");
    mkdirSync(join(devices, busid), { recursive: true });
    mkdirSync(join(devices, `${busid}:1.0`), { recursive: true });
    if (network !== undefined) mkdirSync(join(devices, `${busid}:1.0`, "net", network), { recursive: true });
  }

  /** What was last told to `attach` or `detach`. */
  told(file: "attach" | "detach"): string {
    return readFileSync(this.#vhci(file), "utf8");
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #vhci(file = ""): string {
    const folder = join(this.root, "devices/platform/vhci_hcd.0");
    mkdirSync(join(folder, ".."), { recursive: true });
    return join(folder, file);
  }
}
