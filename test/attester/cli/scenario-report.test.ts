import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scenarioCommand } from "../../../attester/cli/scenario/command.ts";
import { runHere } from "./run-here.ts";

describe("fobnail scenario run --junit", function () {
  this.timeout(60_000);
  let folder = "";
  const at = (name: string) => join(folder, name);
  const run = (...args: readonly string[]) => runHere(["run", ...args, "--junit", at("report.xml")], scenarioCommand());
  const put = (name: string, text: string) => {
    writeFileSync(at(name), text);
    return at(name);
  };
  const report = () => readFileSync(at("report.xml"), "utf8");

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-scenario-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("tells of the scenario at which the run broke, as a failure", async () => {
    put("report.xml", "of the run before, and longer than what comes now".repeat(100));
    const scenario = put("one.yaml", "name: one\nsteps: [plug]\n");
    const { code, output } = await run(
      scenario,
      put("two.yaml", "name: two\nsteps: [plug]\n"),
      "--tpm",
      "swtpm:/none/s",
    );
    assert.equal(code, 3, output);
    assert.match(report(), /<testsuite name="fobnail scenarios" tests="1" failures="1"/);
    assert.match(report(), /name="one".*\n *<failure message="the run ended here: .*not reached/);
    assert.ok(report().endsWith("</testsuite>\n"), report());
  });

  it("leaves the report of the run before alone until there are results", async () => {
    put("report.xml", "of the run before");
    const { code } = await run(put("wrong.yaml", "name: wrong\nsteps: [plgu]\n"));
    assert.equal(code, 2);
    assert.equal(report(), "of the run before");
  });

  it("has all results of a run that ended", async () => {
    const scenario = put("one.yaml", "name: one\nsteps: [plug]\n");
    const { code, output } = await run(scenario, scenario);
    assert.equal(code, 0, output);
    assert.match(report(), /tests="2" failures="0"/);
  });

  it("2: a file that cannot be written, before anything runs", async () => {
    rmSync(folder, { recursive: true });
    const { code, output } = await run(join("test", "scenarios", "01-walk-through.yaml"));
    assert.equal(code, 2, output);
    assert.match(output, /^error: .*report\.xml cannot be written: ENOENT\n$/);
    assert.ok(!existsSync(folder));
  });
});
