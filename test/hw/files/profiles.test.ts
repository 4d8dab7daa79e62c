import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError, readFileBytes, readTextFile } from "../../../hw/files/index.ts";
import { parseDocument, readProfileFile } from "../../../hw/files/profiles.ts";

describe("profile files", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-files-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("are YAML or JSON", () => {
    const path = join(folder, "p.yaml");
    writeFileSync(path, "mac: 00:0D:B9:53:D2:50\nserial_number: '1'\n");
    assert.deepEqual(readProfileFile(path), { mac: "00:0D:B9:53:D2:50", serial_number: "1" });
    assert.deepEqual(parseDocument('{"a":[1]}', "x"), { a: [1] });
  });

  it("print no warnings: they would hold whatever characters the file has", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on("warning", listen);
    assert.deepEqual(parseDocument("%ODD\u001b[2J directive\n---\na: 1\n", "x"), { a: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listen);
    assert.deepEqual(warnings, []);
  });

  it("are refused with a sentence that names the file", () => {
    const binary = join(folder, "binary");
    writeFileSync(binary, Uint8Array.of(0xff, 0xfe));
    const large = join(folder, "large");
    writeFileSync(large, new Uint8Array(64 * 1024 + 1));
    for (const [path, problem] of [
      [join(folder, "none"), /none is not there$/],
      [folder, /is a folder$/],
      [binary, /binary is not a UTF-8 text$/],
      [large, /large holds 65537 bytes; at most 65536 belong here$/],
    ] as const) {
      assert.throws(
        () => readTextFile(path, 64 * 1024),
        (error: unknown) => error instanceof FileError && problem.test(error.message),
        path,
      );
    }
    assert.throws(() => parseDocument("mac: [", "p.yaml"), /^FileError: p.yaml: neither JSON nor YAML: /);
    const bomb = `a: &a [x]\nb: [${"*a,".repeat(40)}]\n`;
    assert.throws(() => parseDocument(bomb, "bomb"), FileError);
  });

  it("are read byte for byte", () => {
    const path = join(folder, "bytes");
    writeFileSync(path, Uint8Array.of(1, 2, 3));
    assert.deepEqual(readFileBytes(path, 3), Uint8Array.of(1, 2, 3));
  });
});
