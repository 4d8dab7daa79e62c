import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ArchiveEntry, archive } from "../../../../attester/cli/os/cpio.ts";
import { parseDepends, withLibraries } from "../../../../attester/cli/os/debian.ts";
import { INIT } from "../../../../attester/cli/os/init.ts";
import { librariesOf } from "../../../../attester/cli/os/libraries.ts";
import { programFiles, runtimePackages } from "../../../../attester/cli/os/program-files.ts";
import { packageFolder } from "../../../../hw/terminal/version.ts";
import { concat } from "../../../../shared/bytes/index.ts";
import { elfProgram } from "../../../support/elf.ts";

const paths = (entries: readonly ArchiveEntry[]) => entries.map(({ path }) => path).sort();

describe("what the small OS is made of", () => {
  let root = "";
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const manifest = (folder: string, dependencies: readonly string[] = [], optional: readonly string[] = []) => {
    const versions = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, "1"]));
    const fields = { dependencies: versions(dependencies), optionalDependencies: versions(optional) };
    put(join(folder, "package.json"), JSON.stringify(fields));
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "fobnail-os-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("packages, and the libraries that they depend on, but not what only an installation needs", () => {
    const depends = parseDepends(
      [
        ...["kexec-tools", "  Depends: libc6", "  Depends: libxen", " |Depends: debconf", "  Conflicts: other"],
        ...["libc6", "  Depends: libgcc-s1", "libxen", "  PreDepends: libc6", "  Depends: <virtual>"],
        ...["debconf", "  Depends: libnewt", "libgcc-s1", "  Depends: libc6", ""],
      ].join("\n"),
    );
    assert.deepEqual(depends.get("kexec-tools"), ["libc6", "libxen", "debconf"]);
    assert.deepEqual(withLibraries(["kexec-tools"], depends), ["kexec-tools", "libc6", "libgcc-s1", "libxen"]);
  });

  it("libraries of libraries, from the first place that has them", () => {
    put("one/usr/lib/x86_64-linux-gnu/libb.so", elfProgram("libc.so"));
    put("two/lib/x86_64-linux-gnu/libb.so", elfProgram("libmissing.so"));
    put("two/lib/x86_64-linux-gnu/libc.so", elfProgram("libb.so"));
    put("program", elfProgram("libb.so"));
    const roots = [join(root, "one"), join(root, "two")];
    const found = librariesOf([join(root, "program")], roots);
    assert.deepEqual([...found].map(([name, path]) => [name, path.split("/").at(-5)]).sort(), [
      ["libb.so", "one"],
      ["libc.so", root.split("/").at(-1)],
    ]);
    assert.throws(() => librariesOf([join(root, "program")], roots.reverse()), /libb\.so needs libmissing\.so/);
  });

  it("packages of Node where Node finds them, without drivers for buses that the kernel drives", () => {
    manifest(".", ["a", "usb"]);
    manifest("node_modules/a", ["b", "c"], ["d", "not-here"]);
    manifest("node_modules/a/node_modules/b");
    manifest("node_modules/b");
    manifest("node_modules/c", ["b"]);
    manifest("node_modules/d", [], ["koffi"]);
    manifest("node_modules/usb");
    manifest("node_modules/koffi");
    assert.deepEqual(
      [...runtimePackages(root).keys()].sort(),
      ["a", "a/node_modules/b", "b", "c", "d"].map((name) => `node_modules/${name}`),
    );
    rmSync(join(root, "node_modules/c"), { recursive: true });
    assert.throws(() => runtimePackages(root), /a needs the package c/);
  });

  it("gives the same bytes, whenever the files were written", () => {
    manifest(".", ["a"]);
    manifest("node_modules/a");
    for (const name of ["index.js", "index.d.ts", "index.js.map", "README.md", "LICENSE"]) {
      put(join("node_modules/a", name), name);
    }
    for (const name of ["fobnail.js", "attester/a.js", "chunks/a.js", "token/a.js", ".tsbuildinfo"]) {
      put(join("dist", name), name);
    }
    const files = () => programFiles({ packageFolder: root, built: join(root, "dist") }, "opt/fobnail");
    const before = Buffer.from(concat(...archive(files())));
    assert.deepEqual(
      paths(files()),
      [
        ...["attester/a.js", "chunks/a.js", "fobnail.js", "token/a.js"].map((name) => `dist/${name}`),
        ...["LICENSE", "index.js", "package.json"].map((name) => `node_modules/a/${name}`),
        "package.json",
      ].map((name) => `opt/fobnail/${name}`),
    );
    utimesSync(join(root, "dist/chunks/a.js"), 1, 1);
    rmSync(join(root, "dist/attester/a.js"));
    put("dist/attester/a.js", "attester/a.js");
    assert.ok(Buffer.from(concat(...archive(files()))).equals(before));
    put("dist/attester/a.js", "attester/b.js");
    assert.ok(!Buffer.from(concat(...archive(files()))).equals(before));
  });

  it("of this package nothing is machine code", () => {
    const packages = [...runtimePackages(packageFolder).keys()];
    assert.ok(packages.includes("node_modules/cbor-x"), packages.join(" "));
    for (const name of ["usb", "koffi", "cbor-extract"]) assert.ok(!packages.includes(`node_modules/${name}`), name);
  });

  it("a first program that a shell can read", () => {
    const { status, stderr } = spawnSync("sh", ["-n"], { input: INIT });
    assert.equal(stderr.toString(), "");
    assert.equal(status, 0);
  });
});
