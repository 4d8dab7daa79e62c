import { tpmClientContract } from "../../contract/tpm-client.ts";
import { freshEmulator, freshSwtpm } from "../../support/tpms.ts";

tpmClientContract("swtpm", freshSwtpm);

tpmClientContract("the emulator", () => freshEmulator("tpm emulator"));
