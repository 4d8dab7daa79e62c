import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { untilSignal } from "../../../attester/cli/exit.ts";

describe("ends of programs", () => {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`${name} is an orderly end, so that a TPM gets its TPM2_Shutdown`, async () => {
      const { signal, release } = untilSignal();
      process.emit(name, name);
      assert.equal(await signal, name);
      release();
      assert.equal(process.listenerCount("SIGHUP"), 0);
    });
  }

  it("1 with a sentence when the output cannot be written", function () {
    this.timeout(30_000);
    const command = `"${process.execPath}" --import tsx fobnail.ts scenario list > /dev/full`;
    const { status, stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    assert.equal(status, 1, stderr);
    assert.equal(stderr, "error: the output cannot be written: ENOSPC\n");
  });
});
