import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { type ArchiveEntry, archive } from "../../../../attester/cli/os/cpio.ts";
import { concat, utf8 } from "../../../../shared/bytes/index.ts";
import { needs } from "../../../support/programs.ts";

const file = (path: string, text: string, executable = false): ArchiveEntry => {
  return { kind: "file", path, data: utf8(text), executable };
};
const packed = (...entries: readonly ArchiveEntry[]) => Buffer.from(concat(...archive(entries)));

/** Written by hand from buffer-format.rst: magic, thirteen numbers, name; all to multiples of four. */
const BY_HAND = [
  `070701${"00000001"}${"000041ed"}${"00000000".repeat(2)}${"00000002"}${"00000000".repeat(6)}${"00000002"}${"00000000"}a\0`,
  `070701${"00000002"}${"000081ed"}${"00000000".repeat(2)}${"00000001"}${"00000000"}${"00000005"}${"00000000".repeat(4)}${"00000004"}${"00000000"}a/b\0\0\0`,
  "hello\0\0\0",
  `070701${"00000003"}${"0000a1ff"}${"00000000".repeat(2)}${"00000001"}${"00000000"}${"00000003"}${"00000000".repeat(4)}${"00000002"}${"00000000"}c\0`,
  "a/b\0",
  `070701${"00000000".repeat(4)}${"00000001"}${"00000000".repeat(6)}${"0000000b"}${"00000000"}TRAILER!!!\0\0\0\0`,
].join("");

describe("cpio archives", () => {
  it("are what the kernel's description says", () => {
    const entries = [file("a/b", "hello", true), { kind: "link", path: "c", to: "a/b" }] as const;
    assert.equal(packed(...entries).toString("latin1"), BY_HAND);
  });

  it("do not depend on the order of what is put in, and hold each folder once, before what is in it", () => {
    const paths = fc.uniqueArray(fc.stringMatching(/^[a-c](-[a-c]|\/[a-c]){0,3}$/), { maxLength: 8 });
    fc.assert(
      fc.property(paths, fc.gen(), (names, draw) => {
        const folders = names.filter((name) => names.some((other) => other.startsWith(`${name}/`)));
        const entries = names.map((path): ArchiveEntry => {
          return folders.includes(path) ? { kind: "folder", path } : file(path, path);
        });
        const shuffled = draw(() => fc.shuffledSubarray([...entries], { minLength: entries.length }));
        assert.ok(packed(...entries).equals(packed(...shuffled)));
        const seen = [
          ...packed(...entries)
            .toString("latin1")
            .matchAll(/0{8}([a-c][^\0]*)\0/g),
        ].map(([, name]) => name);
        assert.equal(new Set(seen).size, seen.length);
        for (const name of seen) {
          const above = name?.split("/").slice(0, -1).join("/");
          if (above !== "") assert.ok(seen.indexOf(above) >= 0 && seen.indexOf(above) < seen.indexOf(name), name);
        }
      }),
    );
  });

  it("unpack with cpio", function () {
    needs(this, "cpio");
    const { stdout, status } = spawnSync("cpio", ["--list", "--verbose", "--numeric-uid-gid", "--quiet"], {
      input: packed(file("bin/busybox", "x".repeat(1001), true), file("etc/odd", ""), {
        kind: "link",
        path: "bin/sh",
        to: "busybox",
      }),
      env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
    });
    assert.equal(status, 0);
    const lines = stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.replace(/\s+/g, " "));
    assert.deepEqual(lines, [
      "drwxr-xr-x 2 0 0 0 Jan 1 1970 bin",
      "-rwxr-xr-x 1 0 0 1001 Jan 1 1970 bin/busybox",
      "lrwxrwxrwx 1 0 0 7 Jan 1 1970 bin/sh -> busybox",
      "drwxr-xr-x 2 0 0 0 Jan 1 1970 etc",
      "-rw-r--r-- 1 0 0 0 Jan 1 1970 etc/odd",
    ]);
  });

  it("take no path that leads elsewhere, and no two entries of one path", () => {
    for (const path of ["", "/a", "a/", "a//b", "./a", "a/../b", "a\0b", "TRAILER!!!", "a".repeat(4096)]) {
      assert.throws(() => archive([file(path, "")]), RangeError, path);
    }
    assert.throws(() => archive([file("a", "1"), file("a", "2")]), /two entries are named a/);
    assert.throws(() => archive([file("a", "1"), file("a/b", "2")]), /a\/b lies below a, which is no folder/);
    assert.doesNotThrow(() =>
      archive([
        { kind: "folder", path: "a" },
        { kind: "folder", path: "a" },
      ]),
    );
  });
});
