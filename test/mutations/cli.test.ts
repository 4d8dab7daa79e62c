import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { startProgram } from "../support/program.ts";

describe("npm run mutations", function () {
  this.timeout(60_000);

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`takes its copy of the sources away on ${signal}, and ends by it`, async () => {
      const program = startProgram("test/mutations/main.ts", ["--only", "V1"]);
      const [, folder = ""] = await program.until(/first (\S+fobnail-mutations-\S+),/);
      assert.ok(existsSync(folder));
      assert.equal(await program.end(signal), null);
      assert.equal(program.process.signalCode, signal);
      assert.ok(!existsSync(folder), `${folder} is still there`);
      assert.doesNotMatch(program.output(), /error|bug/i);
    });
  }

  it("says which it does not know", async () => {
    const program = startProgram("test/mutations/main.ts", ["--only", "nothing"]);
    assert.equal(await program.ended, 2);
    assert.match(program.output(), /there is no mutation nothing; --list shows them/);
  });
});
