/** Writes NV over and over, and says each number once it is written: to be killed at any instant. Argument: the state directory. */
import { openStateDirectory } from "../../../../hw/tpm/emulator/index.ts";
import { commands, TpmRh } from "../../../../shared/tpm/index.ts";
import { Bench } from "./support.ts";

const NONE = new Uint8Array(0);
const nvIndex = 0x01000001;
const bench = new Bench(1, openStateDirectory(process.argv[2] ?? "")).start();
const publicInfo = { nvIndex, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: NONE, dataSize: 64 };
bench.run(commands.NV_DefineSpace, [TpmRh.OWNER], { auth: NONE, publicInfo });

for (let n = 1; n < 100_000; n++) {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, n);
  bench.must(commands.NV_Write, [nvIndex, nvIndex], { data, offset: 0 });
  process.stdout.write(`${n}\n`);
}
