import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../attester/cli/exit.ts";
import { emulatedTarget } from "../conformance/target/emulated.ts";
import { type Attack, meets } from "./attack.ts";
import { attacksCommand } from "./cli.ts";
import { attacks } from "./families/index.ts";
import { runAttack } from "./runner.ts";

/** The program in this process: its exit code and what it printed. */
async function attacking(args: readonly string[], all?: readonly Attack[]) {
  const { log, error } = console;
  const lines: string[] = [];
  const note = (...parts: readonly unknown[]) => void lines.push(parts.join(" "));
  Object.assign(console, { log: note, error: note });
  const exitCode = process.exitCode;
  try {
    const command = attacksCommand(all).configureOutput({ writeOut: note, writeErr: note });
    return { code: await runProgram(command, args), output: lines.join("\n") };
  } finally {
    process.exitCode = exitCode;
    Object.assign(console, { log, error });
  }
}

function attackNamed(wanted: string): Attack {
  return attacks.find(({ id }) => id === wanted) ?? assert.fail(wanted);
}

describe("attacks", function () {
  this.timeout(60_000);

  for (const attack of attacks) {
    it(`${attack.id} ${attack.title}`, async () => {
      const { got, honest, ok } = await runAttack(attack);
      assert.ok(ok, `got ${got}, ${attack.expected} expected; the honest way: ${honest}, ${attack.honest} expected`);
    });
  }

  it("have ids of their own, and what they get is never what the honest way gets, but where the product cannot tell", () => {
    const ids = attacks.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)]);
    const alike = attacks.filter(({ expected, honest }) => meets(expected, honest)).map(({ id }) => id);
    assert.deepEqual(alike, ["CE-24", "LG-05"]);
  });
});

describe("docs/security.md", () => {
  const text = readFileSync("docs/security.md", "utf8");

  it("has a row for each attack, and no other", () => {
    const rows = [...text.matchAll(/^\| ([A-Z]{2}-\d\d) \| (.+) \|$/gm)];
    assert.deepEqual(
      rows.map(([, id]) => id),
      attacks.map(({ id }) => id),
    );
    for (const [, id, reason = ""] of rows) assert.ok(reason.length > 12, id);
  });
});

describe("attacks, the program", function () {
  this.timeout(60_000);
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-attacks-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("prints the table, writes a report and ends with 0", async () => {
    const file = join(folder, "attacks.xml");
    const { code, output } = await attacking(["--only", "rp-01", "CB-04", "--junit", file]);
    assert.equal(code, 0, output);
    assert.match(output, /^ +id +attack +expected +got\nok +RP-01 +send evidence twice .*4\.04 no such attestation\n/);
    assert.match(output, /\n2 attacks: 2 as expected, 0 not \(\d+\.\d s\)$/);
    assert.match(readFileSync(file, "utf8"), /<testsuite name="fobnail attacks" tests="2" failures="0"/);
  });

  it("ends with 1 when an attack gets something else, or its control does", async () => {
    const attack = attackNamed("RP-01");
    const file = join(folder, "failed.xml");
    const worse = await attacking(["--junit", file], [{ ...attack, expected: "2.04" }]);
    assert.equal(worse.code, 1);
    assert.match(worse.output, /\nFAIL +RP-01 /);
    assert.match(readFileSync(file, "utf8"), /<failure message="2\.04 expected, got 4\.04 no such attestation;/);
    const { code, output } = await attacking([], [{ ...attack, honest: "4.03" }]);
    assert.equal(code, 1);
    assert.match(output, /the honest way: 4\.03 expected, 2\.04 seen/);
  });

  it("lists them; knows which do not exist", async () => {
    const { code, output } = await attacking(["--list"]);
    assert.equal(code, 0);
    assert.match(output, new RegExp(`\\n${attacks.length} attacks$`));
    assert.equal((await attacking(["--only", "ZZ"])).code, 2);
    assert.equal((await attacking(["--junit", "/nowhere/attacks.xml"])).code, 2);
  });

  it("sees a token that is lenient: what strict refuses, a compat token lets pass", async () => {
    const lenient = await emulatedTarget({ link: "net", profile: "compat" });
    for (const id of ["FG-03", "RP-08", "SE-01", "SE-09", "PC-14"]) {
      const { ok, got } = await runAttack(attackNamed(id), lenient);
      assert.equal(ok, false, `${id}: ${got}`);
    }
  });
});
