import assert from "node:assert/strict";
import {
  aliasTable,
  closure,
  dependencyTable,
  describeModule,
  type ModuleSource,
} from "../../../../attester/cli/os/modules.ts";
import { elfModule } from "../../../support/elf.ts";

const FILES: Readonly<Record<string, Uint8Array>> = {
  cdc_eem: elfModule("alias=usb:v*d*ic02isc0Cip07in*", "depends=usbcore,usbnet"),
  usbnet: elfModule("depends=mii,usbcore"),
  usbcore: elfModule("depends=usb-common", "alias=char-major-189-*"),
  usb_common: elfModule("depends="),
  mii: elfModule("depends="),
  r8169: elfModule("depends=mii", "softdep=pre: realtek no_such post: later"),
  realtek: elfModule("depends=", "softdep=pre: r8169"),
  later: elfModule("depends="),
  broken: elfModule("depends=no_such"),
};

const source: ModuleSource = {
  find: (name) => (FILES[name] === undefined ? undefined : describeModule(name, FILES[name])),
  isBuiltIn: (name) => name === "tpm_tis",
};
const names = (...wanted: readonly string[]) => closure(wanted, source).map(({ name }) => name);

describe("kernel modules", () => {
  it("come behind those that they need, each once", () => {
    assert.deepEqual(names("cdc-eem", "usbcore"), ["usb_common", "usbcore", "mii", "usbnet", "cdc_eem"]);
  });

  it("come behind those that they wish, where the kernel has them; what is built in is none", () => {
    assert.deepEqual(names("r8169", "tpm_tis"), ["mii", "realtek", "r8169"]);
  });

  it("that are missing are named", () => {
    assert.throws(() => names("nothing"), /no module nothing/);
    assert.throws(() => names("broken"), /no module no_such/);
  });

  it("have the tables that modprobe reads", () => {
    const modules = closure(["cdc_eem", "mii"], source);
    assert.equal(
      dependencyTable(modules),
      [
        "kernel/cdc_eem.ko: kernel/usbnet.ko kernel/mii.ko kernel/usbcore.ko kernel/usb_common.ko",
        "kernel/mii.ko:",
        "kernel/usb_common.ko:",
        "kernel/usbcore.ko: kernel/usb_common.ko",
        "kernel/usbnet.ko: kernel/usbcore.ko kernel/usb_common.ko kernel/mii.ko",
        "",
      ].join("\n"),
    );
    assert.equal(aliasTable(modules), "alias char-major-189-* usbcore\nalias usb:v*d*ic02isc0Cip07in* cdc_eem\n");
  });
});
