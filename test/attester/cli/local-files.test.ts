import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeLocal } from "../../../attester/cli/local-files.ts";
import { FileError } from "../../../hw/files/index.ts";

const KEY = Uint8Array.of(1, 2, 3, 4);
const bytesOf = (path: string) => new Uint8Array(readFileSync(path));
const SHARED_MEMORY = "/dev/shm";

describe("files of this computer, written", () => {
  for (const base of [tmpdir(), SHARED_MEMORY]) {
    describe(`below ${base}`, () => {
      let folder = "";

      before(function () {
        if (!existsSync(base)) {
          console.log(`skipped: there is no ${base} here`);
          this.skip();
        }
        folder = mkdtempSync(join(base, "fobnail-local-"));
      });

      after(() => {
        if (folder !== "") rmSync(folder, { recursive: true });
      });

      it("are replaced as a whole, for their owner only", async () => {
        const path = join(folder, "luks.key");
        writeFileSync(path, "longer, and read by all", { mode: 0o644 });
        for (let times = 0; times < 2; times++) {
          await writeLocal(path, KEY);
          assert.deepEqual(bytesOf(path), KEY);
          assert.equal(statSync(path).mode & 0o777, 0o600);
        }
        assert.deepEqual(readdirSync(folder), ["luks.key"]);
      });

      it("are written to where they are open already", async () => {
        const path = join(folder, "open");
        const fd = openSync(path, "w");
        try {
          const names = [
            `/proc/self/fd/${fd}`,
            `/proc/${process.pid}/fd/${fd}`,
            `/dev/fd/${fd}`,
            `/dev/../dev/fd/${fd}`,
          ];
          for (const name of names) await writeLocal(name, KEY);
        } finally {
          closeSync(fd);
        }
        assert.deepEqual(bytesOf(path), Uint8Array.of(...KEY, ...KEY, ...KEY, ...KEY));
      });

      it("stay behind their symbolic links", async () => {
        symlinkSync("file", join(folder, "link"));
        writeFileSync(join(folder, "file"), "before");
        await writeLocal(join(folder, "link"), KEY);
        assert.deepEqual(bytesOf(join(folder, "file")), KEY);
      });
    });
  }

  it("are devices, too", async () => {
    await writeLocal("/dev/null", KEY);
    assert.equal(statSync("/dev/null").isCharacterDevice(), true);
    await assert.rejects(writeLocal("/dev/full", KEY), FileError);
  });
});
