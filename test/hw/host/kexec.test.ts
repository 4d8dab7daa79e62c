import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryKexec } from "../../../attester/cli/twin/kexec.ts";
import { sampleLaunch } from "../../../attester/dlme/index.ts";
import { createKexec } from "../../../hw/host/index.ts";
import type { KexecTarget } from "../../../shared/ports/index.ts";
import { type KexecUnderTest, kexecContract } from "../../contract/kexec.ts";
import { KexecProgram } from "../../support/kexec-program.ts";

kexecContract("a computer in memory", () => {
  const started: KexecTarget[] = [];
  const kexec = createMemoryKexec(async (target) => void started.push(target));
  return { kexec, started: () => started, close: () => undefined };
});

/** The program is found as by any shell, on PATH. */
function withProgram(): KexecUnderTest & { readonly program: KexecProgram; readonly copies: string } {
  const program = new KexecProgram();
  const copies = mkdtempSync(join(tmpdir(), "fobnail-copies-"));
  const before = process.env["PATH"];
  process.env["PATH"] = program.path;
  return {
    ...{ program, copies, kexec: createKexec({ folder: copies }), started: () => program.started() },
    close() {
      process.env["PATH"] = before;
      rmSync(copies, { recursive: true, force: true });
      program.close();
    },
  };
}

kexecContract("the program", withProgram);

describe("the kexec program", () => {
  const { kernel, initrd } = sampleLaunch();
  const target = { kernel, initrd, commandLine: "a b" };
  let under: ReturnType<typeof withProgram>;
  beforeEach(() => {
    under = withProgram();
  });
  afterEach(() => under.close());

  it("gets private copies, which are gone afterwards", async () => {
    assert.ok((await under.kexec.load(target)).ok);
    assert.deepEqual(under.program.modes, ["drwx------", "-rw-------"]);
    assert.deepEqual(readdirSync(under.copies), []);
    under.program.fail("-s-l");
    assert.ok(!(await under.kexec.load(target)).ok);
    assert.deepEqual(readdirSync(under.copies), []);
  });

  it("gets the command line as one argument, whatever is in it", async () => {
    const commandLine = `root=LABEL="a  b" $(touch /x) --initrd=/etc/passwd '`;
    assert.ok((await under.kexec.load({ kernel, commandLine })).ok);
    assert.ok((await under.kexec.jump()).ok);
    assert.equal(under.started()[0]?.commandLine, commandLine);
    assert.equal(under.started()[0]?.initrd, undefined);
  });

  it("is told of with what it said, and who may use it", async () => {
    under.program.fail("-s-l");
    const outcome = await under.kexec.load(target);
    assert.ok(!outcome.ok);
    const isRoot = process.getuid?.() === 0;
    assert.equal(outcome.reason, isRoot ? "refused" : "rights");
    const sentence = /^kexec did not load the kernel: it ended with exit code 255 \(kexec: Operation not permitted\)$/;
    assert.match(outcome.detail, isRoot ? sentence : /^only root may load the kernel$/);
  });

  it("may not be there, or there may be no room for copies", async () => {
    process.env["PATH"] = under.copies;
    for (const outcome of [await under.kexec.check(), await under.kexec.load(target), await under.kexec.jump()]) {
      assert.ok(!outcome.ok && outcome.reason === "absent");
      assert.match(outcome.detail, /kexec-tools/);
    }
    const nowhere = await createKexec({ folder: join(under.copies, "gone") }).load(target);
    assert.ok(!nowhere.ok && nowhere.reason === "refused");
    assert.match(nowhere.detail, /cannot be copied to .*gone: ENOENT/);
  });
});
