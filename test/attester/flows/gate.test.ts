import { gateContract } from "../../contract/gate.ts";
import { freshEmulator, freshSwtpm } from "../../support/tpms.ts";

for (const kind of ["launch", "plain"] as const) {
  gateContract("the emulator", kind, () => freshEmulator(`gate ${kind}`));
  gateContract("swtpm", kind, freshSwtpm);
}
