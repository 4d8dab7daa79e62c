import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { Exit, Stop } from "../../../attester/cli/exit.ts";
import { type LogArguments, ownEventLogs, withLogOptions } from "../../../attester/cli/own-logs.ts";
import { TpmSpecError } from "../../../hw/tpm/spec.ts";
import { utf8 } from "../../../shared/bytes/index.ts";

const parsed = (...args: string[]): LogArguments =>
  withLogOptions(new Command().option("--tpm <tpm>")).parse(args, { from: "user" }).opts();

describe("the logs of an attester's TPM", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-logs-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("are none for a software TPM, unless files are named", async () => {
    assert.deepEqual(await ownEventLogs(parsed("--tpm", "emulator")).read(), []);
    const file = join(folder, "log");
    writeFileSync(file, "drtm");
    const logs = ownEventLogs(parsed("--tpm", "swtpm:a:1,ctrl=2", "--drtm-log", file));
    assert.deepEqual(await logs.read(), [utf8("drtm")]);
  });

  it("are files for a TPM of this machine, too", async () => {
    const file = join(folder, "log");
    writeFileSync(file, "both");
    for (const tpm of [[], ["--tpm", "device"]]) {
      const logs = ownEventLogs(parsed(...tpm, "--firmware-log", file, "--drtm-log", file));
      assert.equal((await logs.read()).length, 2);
    }
  });

  it("are the launch's after --launch, beside which no files go", () => {
    const launched = { read: async () => [] };
    assert.equal(ownEventLogs({ tpm: "emulator" }, launched), launched);
    for (const more of [{ firmwareLog: "a" }, { drtmLog: "b" }]) {
      assert.throws(
        () => ownEventLogs({ tpm: "emulator", ...more }, launched),
        (error) => error instanceof Stop && error.exit === Exit.Usage,
      );
    }
  });

  it("belong to a TPM that --tpm can name", () => {
    assert.throws(() => ownEventLogs({ tpm: "nonsense" }), TpmSpecError);
  });
});
