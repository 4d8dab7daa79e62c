import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError } from "../../../hw/files/index.ts";
import { writeNewFiles } from "../../../hw/files/new-files.ts";
import { openOwnerRecord } from "../../../hw/files/owner-record.ts";

const entry = (serial: string) => ({
  serial,
  deviceId: "A1",
  subject: "O=Fobnail,serialNumber=A1",
  notBefore: 1000,
  notAfter: 2000,
  certificate: Uint8Array.of(0x30, 0x00),
});

describe("hw/files of an owner", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-owner-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("keeps what was issued, readable by its owner only, and leaves nothing beside it", () => {
    const path = join(folder, "issued.json");
    const record = openOwnerRecord(path);
    assert.deepEqual(record.list(), []);
    record.add(entry("01"));
    record.add(entry("02"));
    assert.deepEqual(openOwnerRecord(path).list(), [entry("01"), entry("02")]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ["issued.json"]);
  });

  it("survives what a crash left beside it", () => {
    const path = join(folder, "issued.json");
    openOwnerRecord(path).add(entry("01"));
    writeFileSync(`${path}.new`, "{ half");
    const record = openOwnerRecord(path);
    record.add(entry("02"));
    assert.equal(openOwnerRecord(path).list().length, 2);
  });

  it("refuses a file that is no record, and keeps it", () => {
    const path = join(folder, "issued.json");
    for (const text of ["", "[]", '{"version":2,"issued":[]}', '{"version":1,"issued":[{"serial":"zz"}]}']) {
      writeFileSync(path, text);
      assert.throws(() => openOwnerRecord(path), FileError, text);
      assert.equal(readFileSync(path, "utf8"), text);
    }
  });

  it("new files: all or none, nothing overwritten, secrets 0600", () => {
    const target = join(folder, "owner");
    const files = [
      { name: "key.pem", text: "secret", secret: true },
      { name: "chain.pem", text: "public", secret: false },
    ];
    writeNewFiles(target, files);
    assert.equal(statSync(join(target, "key.pem")).mode & 0o777, 0o600);
    assert.equal(statSync(target).mode & 0o777, 0o700);
    assert.throws(() => writeNewFiles(target, files), /key\.pem is there already/);
    rmSync(join(target, "key.pem"));
    assert.throws(() => writeNewFiles(target, files), /chain\.pem is there already/);
    assert.deepEqual(readdirSync(target), ["chain.pem"]);
    assert.throws(() => writeNewFiles(join(folder, "a", "b"), files), FileError);
    assert.throws(
      () =>
        writeNewFiles(target, [
          { ...files[0], name: "x", text: "x", secret: true },
          { name: "no/where", text: "", secret: false },
        ]),
      FileError,
    );
    assert.deepEqual(readdirSync(target), ["chain.pem"]);
  });
});
