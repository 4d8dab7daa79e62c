import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Processes } from "../../support/process.ts";

const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
const bins: readonly (readonly [string, string])[] = Object.entries<string>(manifest.bin);

const COMMANDS = [
  "demo",
  "token",
  "token wipe",
  "attester",
  "attester serve",
  "owner",
  "owner init",
  "owner serve",
  "owner list",
  "scenario",
  "scenario run",
  "scenario list",
  "log",
  "log show",
  "log replay",
  "log diff",
  "tpm",
  "tpm manufacture",
  "tpm serve",
  "dlme",
  "dlme boot",
  "dlme predict",
  "dlme diff",
  "dlme samples",
];

const HOLDS = "name: A token without an owner is red\nsteps:\n  - plug\n  - expect: { lamps: red, within: 5s }\n";
const FAILS =
  "name: A token without an owner is <both>\nsteps:\n  - plug\n  - expect: { lamps: green+red, within: 5s }\n";

describe("fobnail, the front door", function () {
  this.timeout(30_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-door-"));
  const path = (name: string) => join(folder, name);
  const run = (...args: readonly string[]) => processes.run(args);

  before(() => {
    writeFileSync(path("holds.yaml"), HOLDS);
    writeFileSync(path("fails.yaml"), FAILS);
    writeFileSync(path("wrong.yaml"), "name: Wrong\nsteps:\n  - plugg\n");
  });

  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  it("shows its help when asked nothing, and for help", async () => {
    const nothing = await run();
    assert.equal(nothing.code, 0);
    assert.match(nothing.text, /^Usage: fobnail /);
    for (const door of ["demo", "token", "attester", "owner", "scenario", "log", "tpm", "dlme"]) {
      assert.match(nothing.text, new RegExp(`^  ${door} `, "m"));
    }
    for (const args of [["help"], ["--help"]]) assert.deepEqual(await run(...args), nothing);
    assert.deepEqual(await run("help", "token"), await run("token", "--help"));
  });

  for (const command of COMMANDS) {
    it(`${command} --help has examples and exit codes`, async () => {
      const { code, text } = await run(...command.split(" "), "--help");
      assert.equal(code, 0);
      assert.match(text, new RegExp(`^Usage: fobnail ${command} `));
      assert.match(text, /^Examples:$/m);
      assert.match(text, /^Exit codes: 0 .*, 70 bug\.$/m);
    });
  }

  for (const [name, file] of bins) {
    it(`${name} starts, through a link as npm makes it`, async () => {
      const program = file.replace(/^dist\/(.*)\.js$/, "$1");
      const version = await processes.run(["--version"], { program });
      assert.deepEqual(version, { code: 0, text: manifest.version });
      const help = await processes.run(["--help"], { program, link: path(name) });
      assert.equal(help.code, 0);
      assert.match(help.text, new RegExp(`^Usage: ${name} `));
      const bogus = await processes.run(["--bogus"], { program });
      assert.equal(bogus.code, 2);
      assert.match(bogus.text, /unknown option '--bogus'/);
    });
  }

  it("the build makes each program one that may be started: npx links a checkout once, and not again after a new build", () => {
    const [, build = "", after = ""] = /^(tsc [^&]*)&& (.*)$/.exec(manifest.scripts.build) ?? [];
    assert.notEqual(build, "");
    const package_ = path("package");
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(package_, file)), { recursive: true });
      writeFileSync(join(package_, file), text, { mode: 0o644 });
    };
    const sources = [...bins.map(([, file]) => file.replace(/^dist\/(.*)\.js$/, "$1.ts")), "attester/cli/os/main.ts"];
    for (const source of sources) write(source, "export {};\n");
    for (const [, file] of bins) write(file, "");
    write("package.json", JSON.stringify(manifest));
    write("build.ts", readFileSync("build.ts", "utf8"));
    symlinkSync(resolve("node_modules"), join(package_, "node_modules"));
    execSync(after, { cwd: package_ });
    for (const [name, file] of bins) assert.equal(statSync(join(package_, file)).mode & 0o777, 0o755, name);
  });

  const refused: readonly (readonly [args: string, code: number, sentence: RegExp])[] = [
    ["tokem", 2, /unknown command 'tokem'\n\(Did you mean token\?\)/],
    ["toString", 2, /unknown command 'toString'/],
    ["demo --tpm device", 2, /^error: a real TPM is not for demos/],
    ["demo --tpm device:/dev/null", 2, /^error: a real TPM is not for demos/],
    ["demo --tpm tpm0", 2, /^error: --tpm tpm0: not known; one of emulator/],
    ["demo --seed 1 --tpm swtpm:127.0.0.1:1,ctrl=2", 2, /--seed repeats a run only with the emulator in memory/],
    ["demo --seed one", 2, /A whole number belongs here/],
    ["demo --fast --tpm swtpm:/none/data,ctrl=/none/ctrl", 3, /error: TPM at \/none\/data not reached/],
    ["tpm manufacture --tpm device --out out", 2, /only the emulator and swtpm are manufactured here/],
    ["scenario run", 2, /missing required argument 'file'/],
    ["scenario run missing.yaml", 2, /missing\.yaml is not there/],
    ["attester serve --tpm tpm0 --platform apu2 --port 0", 2, /--tpm tpm0: not known/],
    ["attester serve --tpm swtpm:/none/data --platform apu2 --port 0", 3, /TPM at \/none\/data not reached/],
    ["log show missing", 2, /missing is not there/],
    ["log diff -- - -", 2, /"-" stands for one file only/],
    ["owner serve missing", 2, /missing\/chain\.pem is not there/],
    ["owner list missing", 2, /missing is not there/],
  ];

  for (const [args, code, sentence] of refused) {
    it(`${code}: ${args}`, async () => {
      const outcome = await run(...args.split(" "));
      assert.match(outcome.text, sentence);
      assert.equal(outcome.code, code);
      assert.doesNotMatch(outcome.text, /bug of the program|\n\s+at /);
    });
  }

  it("names file, line and step of a scenario that cannot be run, and runs none of the others", async () => {
    const { code, text } = await run("scenario", "run", path("holds.yaml"), path("wrong.yaml"));
    assert.equal(code, 2);
    assert.match(text, /wrong\.yaml:3: step 1: "plugg" is not a step/);
    assert.doesNotMatch(text, /held/);
  });

  it("1: a scenario that fails, told in the report of --junit as well", async () => {
    const report = path("results.xml");
    const { code, text } = await run("scenario", "run", path("holds.yaml"), path("fails.yaml"), "--junit", report);
    assert.equal(code, 1);
    assert.match(text, /^held {3}A token without an owner is red /m);
    assert.match(text, /^FAILED A token without an owner is <both> /m);
    assert.match(text, /^ +.*fails\.yaml:4: step 2/m);
    assert.match(text, /^1 held, 1 failed$/m);
    const xml = readFileSync(report, "utf8");
    assert.match(xml, /<testsuite[^>]* tests="2" failures="1"/);
    assert.match(xml, /name="A token without an owner is &lt;both&gt;"/);
    assert.equal(xml.match(/<failure/g)?.length, 1);
  });

  it("2: a report that cannot be written", async () => {
    const { code, text } = await run("scenario", "run", path("holds.yaml"), "--junit", path("none/results.xml"));
    assert.equal(code, 2);
    assert.match(text, /results\.xml cannot be written: ENOENT/);
  });

  it("ends in order when nobody reads on", async () => {
    const token = processes.start(["token", "--api", "v0", "--state", path("state"), "--attester", "127.0.0.1:9"]);
    await token.line(/Device id/);
    token.readNoMore();
    token.type("u"); // so that there is something to say
    assert.equal(await token.ended, 0);
  });
});
