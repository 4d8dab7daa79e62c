import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { moduleInfo, neededLibraries } from "../../../../attester/cli/os/elf.ts";
import { elfFile, elfModule, elfProgram } from "../../../support/elf.ts";

describe("ELF files", () => {
  it("say which libraries they need", () => {
    assert.deepEqual(neededLibraries(elfProgram("libc.so.6", "libm.so.6")), ["libc.so.6", "libm.so.6"]);
    assert.deepEqual(neededLibraries(elfFile({ ".text": Uint8Array.of(0x90) })), []);
  });

  it("are read as the machine's own linker wrote them", function () {
    if (process.platform !== "linux" || process.arch !== "x64") {
      console.log("      not here: a program of Linux on x86-64");
      return this.skip();
    }
    assert.ok(neededLibraries(readFileSync(process.execPath)).includes("libc.so.6"));
  });

  it("of kernel modules say what they are", () => {
    const info = moduleInfo(elfModule("alias=usb:v*", "depends=usbcore,mii", "odd", "parm=a=b"));
    assert.deepEqual(info, [
      ["alias", "usb:v*"],
      ["depends", "usbcore,mii"],
      ["parm", "a=b"],
    ]);
    assert.throws(() => moduleInfo(elfProgram("libc.so.6")), /CodecError.*no kernel module/);
  });

  it("that lie are refused with the place", () => {
    const file = elfModule("name=a");
    const lying = (at: number, ...bytes: readonly number[]) => {
      const copy = file.slice();
      copy.set(bytes, at);
      return copy;
    };
    assert.throws(() => moduleInfo(lying(0, 0x7e)), /CodecError.*Elf64_Ehdr\.magic/);
    assert.throws(() => moduleInfo(lying(4, 1)), /CodecError.*Elf64_Ehdr\.class/);
    assert.throws(() => moduleInfo(lying(0x28, 0xff, 0xff, 0xff, 0xff)), /CodecError.*do not lie in the file/);
    assert.throws(() => moduleInfo(lying(0x3c, 0xff, 0xff)), /CodecError.*more than 4096 sections/);
    assert.throws(() => moduleInfo(lying(0x3e, 0xff)), /CodecError.*no section of names/);
  });
});
