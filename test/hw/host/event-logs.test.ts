import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FileError } from "../../../hw/files/index.ts";
import { fileEventLogs, linuxEventLogs, MAX_EVENT_LOG_BYTES } from "../../../hw/host/index.ts";

describe("event logs of this machine and of files", () => {
  let root = "";
  const put = (name: string, bytes: Uint8Array) => {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  };
  const firmware = Uint8Array.of(1, 2, 3);
  const drtm = Uint8Array.of(4, 5);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "fobnail-logs-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("are the kernel's: the firmware's, then the launch's, read anew each time", async () => {
    const logs = linuxEventLogs({}, root);
    put("kernel/security/tpm0/binary_bios_measurements", firmware);
    assert.deepEqual(await logs.read(), [firmware]);
    put("kernel/security/slaunch/eventlog", drtm);
    assert.deepEqual(await logs.read(), [firmware, drtm]);
  });

  it("are none where the kernel shows none", async () => {
    assert.deepEqual(await linuxEventLogs({}, root).read(), []);
    put("kernel", drtm); // a file where a folder belongs is no log either
    assert.deepEqual(await linuxEventLogs({}, root).read(), []);
  });

  it("are named files in the place of the kernel's", async () => {
    put("kernel/security/tpm0/binary_bios_measurements", Uint8Array.of(9));
    const files = { firmware: put("f", firmware), drtm: put("d", drtm) };
    assert.deepEqual(await linuxEventLogs(files, root).read(), [firmware, drtm]);
    assert.deepEqual(await fileEventLogs(files).read(), [firmware, drtm]);
    assert.deepEqual(await fileEventLogs({ drtm: files.drtm }).read(), [drtm]);
    assert.deepEqual(await fileEventLogs({}).read(), []);
  });

  it("must be there when they are named, and of a bounded size", async () => {
    const missing = { firmware: join(root, "nothing") };
    for (const logs of [fileEventLogs(missing), linuxEventLogs(missing, root)]) {
      await assert.rejects(logs.read(), (e) => e instanceof FileError && /nothing is not there/.test(e.message));
    }
    const large = put("kernel/security/slaunch/eventlog", new Uint8Array(MAX_EVENT_LOG_BYTES + 1));
    await assert.rejects(linuxEventLogs({}, root).read(), /at most 1048576 belong here/);
    await assert.rejects(fileEventLogs({ drtm: large }).read(), FileError);
    mkdirSync(join(root, "kernel/security/tpm0/binary_bios_measurements"), { recursive: true });
    await assert.rejects(linuxEventLogs({ drtm: put("d", drtm) }, root).read(), /is a folder/);
  });
});
