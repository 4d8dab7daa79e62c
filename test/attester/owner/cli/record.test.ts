import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { admitAll, createOwner, readMaterial } from "../../../../attester/owner/index.ts";
import { openOwnerRecord } from "../../../../hw/files/owner-record.ts";
import { buildCsr, readCertificates, tokenSubject } from "../../../../shared/x509/index.ts";
import { ed25519, random } from "../../../support/x509.ts";
import { run } from "./run.ts";

const DAY = 86_400_000;

describe("fobnail-platform-owner list, show, revoke", () => {
  let folder = "";
  const owner = () => join(folder, "owner");
  const serials: string[] = [];

  /** Issues for a device as the program does, `ago` days ago. */
  function issue(deviceId: string, ago: number, days: number): string {
    const now = Date.now();
    const [chain, key] = ["chain.pem", "key.pem"].map((name) => new Uint8Array(readFileSync(join(owner(), name))));
    const outcome = readMaterial(chain ?? assert.fail(), key ?? assert.fail(), now);
    assert.ok(outcome.ok);
    const { material } = outcome;
    const record = openOwnerRecord(join(owner(), "issued.json"));
    const calendar = { today: () => now - ago * DAY };
    const log = { write: () => undefined };
    const issuer = createOwner({ material, random, calendar, record, admission: admitAll, log, days });
    const csr = buildCsr({ subject: tokenSubject(deviceId), key: ed25519(`${deviceId}:${ago}`) }, random);
    assert.ok(issuer.issue(csr).ok);
    return record.list().at(-1)?.serial ?? assert.fail();
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-record-"));
    assert.equal((await run("init", owner(), "--key", "ecc")).code, 0);
    assert.equal((await run("list", owner())).out, "No certificate was issued yet.\n");
    assert.equal((await run("list", owner(), "--json")).out, "");
    serials.push(issue("A1", 100, 10), issue("A1", 0, 365), issue("1A2B3C4D5E6F7081", 0, 365));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("list: a table with what each is worth today; a folder or the record itself", async () => {
    const { out, code } = await run("list", owner());
    assert.equal(code, 0);
    const lines = out.split("\n");
    assert.match(lines[0] ?? "", /^DEVICE {12}FROM {8}UNTIL {7}STATE {4}SERIAL$/);
    assert.match(
      lines[1] ?? "",
      new RegExp(`^A1 {16}\\d{4}-\\d\\d-\\d\\d {2}\\d{4}-\\d\\d-\\d\\d {2}expired {2}${serials[0]}$`),
    );
    assert.match(lines[2] ?? "", new RegExp(`^A1 .* good {5}${serials[1]}$`));
    assert.match(lines[3] ?? "", new RegExp(`^1A2B3C4D5E6F7081 .* good {5}${serials[2]}$`));
    assert.equal((await run("list", join(owner(), "issued.json"))).out, out);
  });

  it("list --json: one object a line", async () => {
    const { out } = await run("list", owner(), "--json");
    const entries = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      entries.map(({ deviceId, state, serial }) => [deviceId, state, serial]),
      [
        ["A1", "expired", serials[0]],
        ["A1", "good", serials[1]],
        ["1A2B3C4D5E6F7081", "good", serials[2]],
      ],
    );
    assert.equal(entries[0].subject, "O=Fobnail,serialNumber=A1");
    assert.equal(Date.parse(entries[1].until) - Date.parse(entries[1].from), 365 * DAY);
  });

  it("show: by device id as people write it, by serial number and its first digits, with the PEM", async () => {
    const { out } = await run("show", owner(), "0x1a2b3c4d5e6f7081");
    for (const field of ["Device id", "State", "Serial", "Subject", "Issuer", "From", "Until", "Key", "SHA-256"]) {
      assert.match(out, new RegExp(`^${field} +\\S`, "m"));
    }
    const [certificate] = readCertificates(new TextEncoder().encode(out));
    assert.equal(Buffer.from(certificate?.serial ?? []).toString("hex"), serials[2]);
    const serial = serials[2] ?? "";
    const written = (serial.match(/../g) ?? []).join(":").toUpperCase();
    for (const text of [serial, serial.slice(0, 12), written])
      assert.equal((await run("show", owner(), text)).out, out);
    const both = await run("show", owner(), "00a1", "--json");
    const states = both.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).state);
    assert.deepEqual(states, ["expired", "good"]);
    assert.match(both.out, /"pem":"-----BEGIN CERTIFICATE-----/);
  });

  it("revoke: one by its serial number, then all of a device; once for all", async () => {
    const one = await run("revoke", owner(), serials[1] ?? "", "--reason", "superseded");
    assert.equal(one.out, `Revoked certificate ${serials[1]} of token A1 (superseded).\n`);
    const rest = await run("revoke", owner(), "A1", "--reason", "keyCompromise");
    assert.match(
      rest.out,
      new RegExp(`^Certificate ${serials[1]} of token A1 was revoked 2\\S+Z \\(superseded\\)\\.\n`),
    );
    assert.match(rest.out, new RegExp(`\nRevoked certificate ${serials[0]} of token A1 \\(keyCompromise\\)\\.\n$`));
    const again = await run("revoke", owner(), "A1");
    assert.equal(again.code, 0);
    assert.doesNotMatch(again.out, /^Revoked/m);
    const { out } = await run("list", owner());
    assert.deepEqual(out.match(/revoked|good/g), ["revoked", "revoked", "good"]);
    assert.match((await run("show", owner(), "A1")).out, /^State +revoked 2\S+Z \(keyCompromise\)$/m);
    const [json] = (await run("list", owner(), "--json")).out.split("\n");
    assert.equal(JSON.parse(json ?? "").reason, "keyCompromise");
  });

  it("revoke: digits that begin several serial numbers are too few", async () => {
    const path = join(folder, "two.json");
    const record = JSON.parse(readFileSync(join(owner(), "issued.json"), "utf8"));
    for (const [i, entry] of record.issued.entries()) entry.serial = `abcdef0${i}`;
    writeFileSync(path, JSON.stringify(record));
    const many = await run("revoke", path, "abcd");
    assert.equal(many.code, 1);
    assert.match(many.err, /^error: abcd may be abcdef00 or abcdef01 or abcdef02: more digits are needed\n$/);
    assert.equal((await run("revoke", path, "abc")).code, 1);
    assert.equal((await run("revoke", path, "abcdef02")).code, 0);
  });
});
