import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { holderName } from "../../../hw/files/holder.ts";
import { FileError } from "../../../hw/files/index.ts";
import { writeNewFiles } from "../../../hw/files/new-files.ts";
import { openOwnerRecord } from "../../../hw/files/owner-record.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { deepFolder } from "../../support/deep-folder.ts";
import { ed25519, tokenCertificate } from "../../support/x509.ts";

const CERTIFICATE = tokenCertificate({ name: "A1", key: ed25519("record") }).certificate.der;

const entry = (serial: string) => ({
  serial,
  deviceId: "A1",
  subject: "O=Fobnail,serialNumber=A1",
  notBefore: 1000,
  notAfter: 2000,
  certificate: CERTIFICATE,
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
    writeFileSync(join(folder, ".issued.json.01234567.new"), "{ half");
    const record = openOwnerRecord(path);
    record.add(entry("02"));
    assert.equal(openOwnerRecord(path).list().length, 2);
    assert.deepEqual(readdirSync(folder), ["issued.json"]);
  });

  it("refuses a file that is no record, and keeps it", () => {
    const path = join(folder, "issued.json");
    for (const text of ["", "[]", '{"version":2,"issued":[]}', '{"version":1,"issued":[{"serial":"zz"}]}']) {
      writeFileSync(path, text);
      assert.throws(() => openOwnerRecord(path), FileError, text);
      assert.equal(readFileSync(path, "utf8"), text);
    }
  });

  it("refuses a record whose certificates or times are none, and names the file", () => {
    const path = join(folder, "issued.json");
    const good = { ...entry("01"), certificate: toHex(CERTIFICATE) };
    const before = -9_000_000_000_000_000;
    const wrongs = [
      { certificate: "00" },
      { certificate: "" },
      { certificate: `${good.certificate}00` },
      { notBefore: before },
      { notBefore: -before },
      { notAfter: before },
      { revoked: { at: before, reason: "superseded" } },
      { revoked: { at: -before, reason: "superseded" } },
    ];
    for (const wrong of wrongs) {
      writeFileSync(path, JSON.stringify({ version: 1, issued: [good, { ...good, ...wrong }] }));
      const named = (error: unknown) =>
        error instanceof FileError && error.message.startsWith(`${path} is not a record`);
      assert.throws(() => openOwnerRecord(path), named, JSON.stringify(wrong));
    }
    const endless = { ...good, notAfter: -before }; // later than any date: it never ends
    writeFileSync(path, JSON.stringify({ version: 1, issued: [endless] }));
    assert.equal(openOwnerRecord(path).list()[0]?.notAfter, -before);
  });

  it("reads what was written before revocations were known, and marks them beside", () => {
    const path = join(folder, "issued.json");
    const old = (serial: string) => ({ ...entry(serial), certificate: toHex(CERTIFICATE) });
    writeFileSync(path, JSON.stringify({ version: 1, issued: [old("01"), old("02")] }));
    const record = openOwnerRecord(path);
    assert.deepEqual(record.list(), [entry("01"), entry("02")]);
    const revoked = { at: 3000, reason: "superseded" };
    record.revoke(["02"], revoked);
    assert.deepEqual(openOwnerRecord(path).list(), [entry("01"), { ...entry("02"), revoked }]);
    const { version, issued } = JSON.parse(readFileSync(path, "utf8"));
    assert.equal(version, 1);
    assert.deepEqual(issued, [old("01"), { ...old("02"), revoked }]);
    for (const wrong of [{ at: 1 }, { at: "now", reason: "" }, { ...revoked, by: "me" }]) {
      writeFileSync(path, JSON.stringify({ version: 1, issued: [{ ...old("01"), revoked: wrong }] }));
      assert.throws(() => openOwnerRecord(path), FileError);
    }
  });

  it("programs that run at the same time lose nothing of each other", () => {
    const path = join(folder, "issued.json");
    const [one, other] = [openOwnerRecord(path), openOwnerRecord(path)];
    one.add(entry("01"));
    assert.equal(other.list().length, 1);
    other.add(entry("02"));
    one.revoke(["02"], { at: 3000, reason: "unspecified" });
    one.add(entry("03"));
    other.add(entry("04"));
    const serials = one.list().map(({ serial, revoked }) => `${serial}${revoked === undefined ? "" : " revoked"}`);
    assert.deepEqual(serials, ["01", "02 revoked", "03", "04"]);
    assert.deepEqual(other.list(), one.list());
  });

  it("is one record by every name: a link stays one, and its changes and its lock are those of the file", () => {
    const [path, link] = [join(folder, "issued.json"), join(folder, "link.json")];
    symlinkSync("issued.json", link);
    assert.throws(() => openOwnerRecord(link), /link\.json is a link to what is not there/);
    const direct = openOwnerRecord(path);
    direct.add(entry("01"));
    const linked = openOwnerRecord(link);
    linked.add(entry("02"));
    linked.revoke(["01"], { at: 3000, reason: "keyCompromise" });
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.deepEqual(direct.list(), [{ ...entry("01"), revoked: { at: 3000, reason: "keyCompromise" } }, entry("02")]);
    mkdirSync(`${path}.lock`);
    assert.throws(() => linked.add(entry("03")), /issued\.json cannot be written: .*EISDIR/);
  });

  it("takes over the lock of a program that died, and waits for one that lives", () => {
    const path = join(folder, "issued.json");
    const lock = `${path}.lock`;
    writeFileSync(lock, "4194303 1\n");
    openOwnerRecord(path).add(entry("01"));
    assert.deepEqual(readdirSync(folder), ["issued.json"]);
    writeFileSync(lock, `${holderName(process.pid)}\n`);
    assert.throws(() => openOwnerRecord(path).add(entry("02")), /issued\.json is in use.*issued\.json\.lock/);
    assert.equal(readFileSync(lock, "utf8"), `${holderName(process.pid)}\n`);
    rmSync(lock);
    assert.equal(openOwnerRecord(path).list().length, 1);
  });

  it("says in a sentence that it cannot be written, and is as before", () => {
    const within = deepFolder(folder, "issued.json.lock.1234567".length);
    const path = join(within, "issued.json");
    writeFileSync(path, JSON.stringify({ version: 1, issued: [{ ...entry("01"), certificate: toHex(CERTIFICATE) }] }));
    const record = openOwnerRecord(path);
    assert.throws(() => record.add(entry("02")), /issued\.json cannot be written: .*ENAMETOOLONG/);
    assert.equal(record.list().length, 1);
    assert.deepEqual(readdirSync(within), ["issued.json"]);
    assert.throws(() => openOwnerRecord(join(folder, "none", "issued.json")).add(entry("01")), FileError);
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
