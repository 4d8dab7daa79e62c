import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoCommand } from "../../../../attester/cli/demo/command.ts";
import { scenarioCommand } from "../../../../attester/cli/scenario/command.ts";
import { virtualPace } from "../../../../attester/cli/twin/pace.ts";
import { seededSource, tpmForTwin } from "../../../../attester/cli/twin/setup.ts";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { createTpmEmulator, openStateDirectory } from "../../../../hw/tpm/emulator/index.ts";
import { openTpmServer } from "../../../../hw/tpm/server/server.ts";
import { TpmUnreachable } from "../../../../shared/tpm/index.ts";
import { seededRandom } from "../../../support/random.ts";
import { runHere } from "../run-here.ts";

describe("the TPM of a twin", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-twin-"));
    writeFileSync(join(folder, "tpm-volatile"), "garbage");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is closed when it cannot be prepared", async () => {
    await assert.rejects(tpmForTwin(`emulator:${folder}`, seededSource(1), virtualPace()), TpmUnreachable);
    assert.ok(!readdirSync(folder).includes("lock"), "the directory was let go");
  });

  for (const [args, program] of [
    [["--fast"], demoCommand()],
    [["run", "test/scenarios/01-walk-through.yaml"], scenarioCommand()],
  ] as const) {
    it(`ends ${program.name()} with a sentence when it is behind a swtpm that refuses power`, async () => {
      const state = openStateDirectory(folder);
      const { board, transport } = createTpmEmulator({ random: seededRandom(1), clock: new VirtualClock(), state });
      const [data, control] = [{ path: join(folder, "s") }, { path: join(folder, "s.ctrl") }];
      const server = await openTpmServer({ board, data, control, log: { write: () => undefined } });
      try {
        const { code, output } = await runHere([...args, "--tpm", `swtpm:${data.path},ctrl=${control.path}`], program);
        assert.match(output, /^error: swtpm refused INIT \(0x101\)$/m);
        assert.equal(code, 1, output);
      } finally {
        await server.close();
        await transport.close();
      }
    });
  }
});
