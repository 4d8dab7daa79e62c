import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { mutations } from "./index.ts";
import { byTests } from "./judges.ts";
import { type Mutation, mutated } from "./mutation.ts";
import { rowOf, summary } from "./report.ts";
import { PACKAGE } from "./tree.ts";

const text = (file: string) => readFileSync(join(PACKAGE, file), "utf8");

describe("mutations", () => {
  it("are twenty at least, each with its own id", () => {
    assert.ok(mutations.length >= 20);
    assert.equal(new Set(mutations.map(({ id }) => id)).size, mutations.length);
  });

  for (const mutation of mutations) {
    it(`${mutation.id} fits the sources as they are: ${mutation.what}`, () => {
      const before = text(mutation.file);
      const after = mutated(mutation, before);
      assert.notEqual(after, before);
      const { diagnostics } = ts.transpileModule(after, { reportDiagnostics: true });
      assert.deepEqual(
        diagnostics?.map(({ messageText }) => messageText),
        [],
      );
      for (const path of mutation.tests) assert.ok(existsSync(join(PACKAGE, path)), path);
    });
  }

  it("that fit no more are errors", () => {
    const mutation: Mutation = { id: "Z", what: "", file: "a.ts", find: "x", replace: "$&", tests: [] };
    assert.throws(() => mutated(mutation, "a b"), /stands 0 times in a\.ts/);
    assert.throws(() => mutated(mutation, "x x"), /stands 2 times in a\.ts/);
    assert.equal(mutated(mutation, "a x b"), "a $& b");
  });

  describe("judged by tests", () => {
    let folder = "";
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "fobnail-judged-"));
      mkdirSync(join(folder, "t"));
    });
    after(() => rmSync(folder, { recursive: true }));
    const judge = (body: string) => {
      writeFileSync(join(folder, "t/a.test.ts"), body);
      return byTests(["t"])(folder);
    };

    it("tell which failed, or that they could not judge", async function () {
      this.timeout(60_000);
      symlinkSync(join(PACKAGE, "node_modules"), join(folder, "node_modules"));
      assert.deepEqual(await judge(`it("holds", () => {});`), []);
      assert.deepEqual(await judge(`describe("it", () => it("breaks", () => { throw new Error(); }));`), ["it breaks"]);
      await assert.rejects(judge("this is no program"), /the tests gave no result/);
      await assert.rejects(judge("export {};"), /no test gave no result/);
    });
  });

  it("are told as a row each, those that nobody noticed in bold", () => {
    const [mutation] = mutations;
    assert.ok(mutation !== undefined);
    const nobody = { mutation, tests: [], attacks: [], simulation: [], noticed: false };
    assert.match(rowOf(nobody), /\*\*nobody noticed\*\* \| - \| - \| - \|$/);
    const noticed = { ...nobody, tests: ["a", "b"], attacks: ["A", "B", "C", "D", "E"], noticed: true };
    assert.match(rowOf(noticed), /\| a; 1 more \| A, B, C, D and 1 more \| - \|$/);
    assert.equal(
      summary([nobody, noticed], 1000),
      "2 mutations: 1 noticed (tests 1, attacks 1, simulation 0), 1 not; 1 s",
    );
  });
});
