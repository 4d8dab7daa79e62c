/** Decoders of the programs and kernel modules that the small OS is put together from. */
import { moduleInfo, neededLibraries } from "../../../attester/cli/os/elf.ts";
import { elfFile, elfModule, elfProgram } from "../../support/elf.ts";
import { type Decoder, ofFunction } from "../decoder.ts";

const BEHIND = "what lies behind the table of sections is not looked at";

export const osDecoders: readonly Decoder[] = [
  ofFunction("ELF: needed libraries", neededLibraries, [elfProgram("libc.so.6", "libm.so.6"), elfFile({})], {
    trailing: BEHIND,
  }),
  ofFunction("ELF: kernel module", moduleInfo, [elfModule("alias=usb:v*", "depends=usbcore", "name=a")], {
    trailing: BEHIND,
  }),
];
