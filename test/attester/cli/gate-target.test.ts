import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLaunch } from "../../../attester/dlme/index.ts";
import { runHere } from "./run-here.ts";

describe("what fobnail-attester gate needs no TPM for", () => {
  const { kernel, initrd = new Uint8Array(0) } = sampleLaunch({ kernel: "target", initrd: "target" });
  const folder = mkdtempSync(join(tmpdir(), "fobnail-gate-target-"));
  const file = (name: string) => join(folder, name);
  before(() => {
    writeFileSync(file("vmlinuz"), kernel);
    writeFileSync(file("initrd.img"), initrd);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("prints what it would measure: the hashes of the files as they are", async () => {
    const args = ["--print-target", "--kexec", file("vmlinuz"), "--initrd", file("initrd.img"), "--cmdline", "a b"];
    const { code, output } = await runHere(["gate", ...args]);
    assert.equal(code, 0);
    const sha256 = (...parts: readonly (Uint8Array | string)[]) =>
      parts.reduce<ReturnType<typeof createHash>>((hash, part) => hash.update(part), createHash("sha256")).digest();
    const digests = [kernel, initrd, "a b"].map((part) => sha256(part));
    for (const digest of digests) assert.ok(output.includes(`sha256 ${digest.toString("hex")}`));
    const pcr = digests.reduce<Buffer>((value, digest) => sha256(value, digest), Buffer.alloc(32));
    assert.ok(output.includes(`PCR 19 from zero, sha256: ${pcr.toString("hex")}`));
    assert.ok(output.includes(`PCR 14 from zero, sha256: ${pcr.toString("hex")}`));
    const json = await runHere(["gate", "--json", ...args]);
    const first = JSON.parse(json.output.split("\n")[0] ?? "");
    assert.deepEqual([first.pcr, first.step, first.sha256], [19, "target", digests[0]?.toString("hex")]);
  });

  for (const [what, args, sentence] of [
    ["an initrd without a kernel", ["--initrd", "x"], /--initrd belongs to a kernel/],
    ["a command line without a kernel", ["--cmdline", "x"], /--cmdline belongs to a kernel/],
    ["a kernel without the cap", ["--kexec", "x", "--no-cap"], /'--no-cap' cannot be used with option '--kexec/],
    ["a log of no cap", ["--log", "x", "--no-cap"], /'--no-cap' cannot be used with option '--log/],
    ["no time", ["--timeout", "0"], /a whole number from 1 to 86400/],
    [
      "an endless command line",
      ["--kexec", "/dev/null", "--print-target", "--cmdline", "x".repeat(4096)],
      /at most 4095 bytes/,
    ],
  ] as const) {
    it(`says a sentence and ends with 2: ${what}`, async () => {
      const { code, output } = await runHere(["gate", ...args]);
      assert.match(output, sentence);
      assert.equal(code, 2);
    });
  }
});
