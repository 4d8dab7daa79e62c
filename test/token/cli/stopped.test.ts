import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
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
import { dirname, join } from "node:path";
import { openFileFlash } from "../../../hw/flash/index.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic } from "../../../shared/tpm/index.ts";
import { toPem } from "../../../shared/x509/index.ts";
import { createDomain } from "../../../token/domain/domain.ts";
import { packLog } from "../../../token/domain/log-record.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import type { Outcome } from "../../../token/domain/reasons.ts";
import { openStore } from "../../../token/storage/index.ts";
import { FakeAttester, vendorRoot } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { RECORDED } from "../../support/launch-log.ts";
import { commandLine, Processes } from "../../support/process.ts";
import { seededRandom } from "../../support/random.ts";

const accepted = <T>(outcome: Outcome<T, string>): T => (outcome.ok ? outcome.value : assert.fail(outcome.reason));
const attester = new FakeAttester({ aik: "restricted-ecc", ek: "ecc" });
const owner = new FakeOwner();
const BINARY = Uint8Array.of(0, 1, 2, 0x1b, 0xff);

function domainIn(folder: string) {
  const flash = openFileFlash(join(folder, "flash.img"));
  const domain = createDomain({
    store: openStore(flash),
    random: seededRandom(1),
    profile: STRICT,
    policy: DEFAULT_POLICY,
  });
  return { flash, domain };
}

/** A provisioned token with platforms of these serial numbers, each with two files, s1 with a log; their ids. */
function makeState(folder: string, serials: readonly string[]): readonly string[] {
  mkdirSync(folder);
  const { flash, domain } = domainIn(folder);
  domain.roots.add(owner.root.certificate, [vendorRoot("v1").certificate]);
  const leaf = owner.issue(accepted(domain.requestCertificate()));
  accepted(domain.acceptCertificate(leaf.der, accepted(domain.judgeOwner(owner.chainBody()))));
  const ids = serials.map((serial_number) => {
    attester.metadata = { ...attester.metadata, serial_number };
    const aik = accepted(domain.judgeAik(encode(Tpm2bPublic, attester.aikPublic)));
    const log = serial_number === "s1" ? packLog(RECORDED) : undefined;
    const { id } = accepted(domain.enrol({ aik, metadata: attester.metadataBytes(), rim: attester.rimBytes(), log }));
    domain.files.write(id, "luks key", BINARY);
    domain.files.write(id, "note", new TextEncoder().encode("hello\n"));
    return id;
  });
  flash.close();
  return ids;
}

describe("fobnail token platforms and flash, on a stopped token", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-stopped-"));
  const path = (...names: readonly string[]) => join(folder, ...names);
  const state = path("state");
  const serials = Array.from({ length: 17 }, (_, i) => `s${i}`); // two ids of so many begin with the same digit
  let ids: readonly string[] = [];
  let made = 0;

  before(() => {
    ids = makeState(state, serials);
  });
  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...args: readonly string[]) => processes.run(["token", ...args, "--state", state]);
  const refuses = async (args: readonly string[], code: number, sentence: RegExp) => {
    const outcome = await processes.run(["token", ...args]);
    assert.match(outcome.text, sentence);
    assert.equal(outcome.code, code, outcome.text);
    assert.doesNotMatch(outcome.text, /bug of the program|\n\s+at /);
  };
  const fresh = (count: number) => {
    const at = path(`fresh-${made++}`);
    return { at, ids: makeState(at, serials.slice(0, count)) };
  };

  it("platforms: a table, and JSON with all facts", async () => {
    const { code, text } = await run("platforms");
    assert.equal(code, 0);
    assert.match(text, /^ID +NAME +MANUFACTURER +PRODUCT +SERIAL +FILES +BYTES +LOG$/m);
    assert.match(text, new RegExp(`^${ids[0]?.slice(0, 12)} +- +PC Engines +apu2 +s0 +2 +11 +-$`, "m"));
    assert.match(text, new RegExp(`^${ids[1]?.slice(0, 12)} .* +11 +${RECORDED.events.length} events$`, "m"));
    const json = await run("platforms", "list", "--json");
    const told = json.text.split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(new Set(told.map(({ id }) => id)), new Set(ids));
    const expected = { id: ids[3], name: "", manufacturer: "PC Engines", productName: "apu2", serialNumber: "s3", files: 2, sizeBytes: 11, logEvents: 0 }; // biome-ignore format: one row
    assert.deepEqual(
      told.find(({ id }) => id === ids[3]),
      expected,
    );
  });

  it("platforms: renamed by first digits and by name, and nameless again", async () => {
    const { at, ids: [id = ""] } = fresh(1); // biome-ignore format: one line
    const named = await processes.run(["token", "platforms", "rename", id.slice(0, 6).toUpperCase(), "my lab", "--state", at]); // biome-ignore format: one call
    assert.deepEqual(named, { code: 0, text: `${id.slice(0, 12)} ("my lab", PC Engines apu2 s0)` });
    assert.match((await processes.run(["token", "--state", at, "platforms"])).text, / my lab +PC Engines /);
    const unnamed = await processes.run(["token", "platforms", "rename", "my lab", "", "--json", "--state", at]);
    assert.equal(JSON.parse(unnamed.text).name, "");
  });

  it("platforms: removed with files, when told to; refused where it is not clear which", async () => {
    const { at, ids: [id = ""] } = fresh(2); // biome-ignore format: one line
    await refuses(["platforms", "remove", id, "--state", at], 2, /--yes removes without asking/);
    const removed = await processes.run(["token", "platforms", "remove", id.slice(0, 20), "--yes", "--state", at]);
    assert.deepEqual(removed, { code: 0, text: `Removed ${id.slice(0, 12)} (PC Engines apu2 s0), with its 2 files.` });
    assert.equal((await processes.run(["token", "flash", "ls", "--state", at])).text.includes(id), false);
    await refuses(["platforms", "remove", id, "--yes", "--state", at], 1, /the token has no platform/);
    const first = ids.map((one) => one[0] ?? "");
    const digit = first.find((one, i) => first.indexOf(one) !== i) ?? assert.fail("17 hexadecimal digits all differ");
    await refuses(["platforms", "remove", digit, "--yes", "--state", state], 1, /may be [0-9a-f]{64} or .*more digits/);
    await refuses(["platforms", "rename", id, "x".repeat(65), "--state", at], 2, /At most 64 bytes/);
  });

  it("flash: what it is and how full, as lines and as JSON", async () => {
    const { code, text } = await run("flash");
    assert.equal(code, 0);
    for (const line of [
      /^geometry +32 pages of 4096 bytes$/m,
      /^stored +\d+ of about \d+ bytes, in \d+ values$/m,
      /^device id +[0-9A-F]{1,16}$/m,
      /^provisioned +yes, by .*owner issuing/m,
      /^owner root +.*owner root/m,
      /^EK root +.*v1 root/m,
      /^platforms +17$/m,
      /^files +34$/m,
    ]) {
      assert.match(text, line);
    }
    const facts = JSON.parse((await run("flash", "info", "--json")).text);
    assert.equal(facts.image, join(state, "flash.img"));
    assert.deepEqual([facts.provisioned, facts.platforms, facts.files, facts.ekRoots.length], [true, 17, 34, 1]);
  });

  it("flash ls: keys, and files by platform and name", async () => {
    const { text } = await run("flash", "ls");
    assert.match(text, /^ *52 +identity +device id and private key$/m);
    assert.match(text, /^ *\d+ +root\/owner +trusted root of the owner$/m);
    assert.match(text, new RegExp(`^ *\\d+ +platform/${ids[0]} +AIK, metadata, reference values$`, "m"));
    assert.match(text, new RegExp(`^ *5 +${ids[0]?.slice(0, 12)}/luks key +file of PC Engines apu2 s0$`, "m"));
    const all = (await run("flash", "ls", "--json")).text.split("\n").map((line) => JSON.parse(line));
    const file = all.find(({ platform, name }) => platform === ids[1] && name === "note");
    assert.equal(file.sizeBytes, 6);
    assert.ok(!all.some(({ path: at }) => at.startsWith("file/")), "files are shown once");
  });

  it("flash cat: values and files as they are; the private key only when told to", async () => {
    const [command = "", ...args] = commandLine(["token", "flash", "cat", "--state", state]);
    const cat = (...more: readonly string[]) =>
      new Uint8Array(execFileSync(command, [...args, ...more], { stdio: ["ignore", "pipe", "inherit"] }));
    assert.deepEqual(cat(`${ids[2]?.slice(0, 8)}/luks key`), BINARY);
    assert.deepEqual(cat("root/owner"), owner.root.certificate.der);
    assert.equal(cat("identity", "--secret").byteLength, 52);
    await refuses(["flash", "cat", "identity", "--state", state], 1, /private key: --secret shows it/);
    await refuses(["flash", "cat", "nothing", "--state", state], 1, /nothing is stored under "nothing"/);
    await refuses(["flash", "cat", `${ids[0]}/none`, "--state", state], 1, /has no file "none"/);
    await refuses(["flash", "cat", "0123456789/none", "--state", state], 1, /has no platform "0123456789"/);
  });

  it("flash install-cert: roots of vendors from files and folders, the owner's in the place of the one before", async () => {
    const { at } = fresh(0);
    mkdirSync(path("vendors"));
    for (const name of ["v2", "v3"]) {
      writeFileSync(path("vendors", `${name}.pem`), toPem("CERTIFICATE", vendorRoot(name).certificate.der));
    }
    writeFileSync(path("other.der"), new FakeOwner("other").root.certificate.der);
    const vendors = await processes.run(["token", "flash", "install-cert", path("vendors"), "--state", at]);
    assert.match(vendors.text, /TPM vendor's root: .*v2 root\nTrusted as a TPM vendor's root: .*v3 root/);
    const other = await processes.run(["token", "flash", "install-cert", path("other.der"), "--owner", "--state", at]);
    assert.match(other.text, /^Trusted as the owner's root: .*other root/);
    const facts = JSON.parse((await processes.run(["token", "flash", "--json", "--state", at])).text);
    assert.match(facts.ownerRoot, /other root/);
    assert.equal(facts.ekRoots.length, 3);
    await refuses(["flash", "install-cert", path("none.pem"), "--state", at], 2, /none\.pem is not there/);
  });

  it("flash export and import: the whole token moves, mode 0600, and nothing else is taken for one", async () => {
    const backup = path("backup.img");
    const exported = await run("flash", "export", backup);
    assert.equal(exported.code, 0, exported.text);
    assert.equal(statSync(backup).mode & 0o777, 0o600);
    assert.deepEqual(readFileSync(backup), readFileSync(join(state, "flash.img")));
    assert.deepEqual(
      readdirSync(dirname(backup)).filter((name) => /new$/.test(name) && name !== "new"),
      [],
    );

    const { at } = fresh(1);
    await refuses(["flash", "import", backup, "--state", at], 2, /--yes replaces it without asking/);
    const imported = await processes.run(["token", "flash", "import", backup, "--yes", "--state", at]);
    assert.deepEqual(imported, { code: 0, text: `${at}: imported from ${backup}` });
    const elsewhere = await processes.run(["token", "flash", "import", backup, "--state", path("new")]);
    assert.equal(elsewhere.code, 0, "nothing is there that would be lost");
    for (const one of [at, path("new")]) {
      const facts = JSON.parse((await processes.run(["token", "flash", "--json", "--state", one])).text);
      assert.equal(facts.platforms, 17);
      assert.equal(statSync(join(one, "flash.img")).mode & 0o777, 0o600);
    }

    const before = readFileSync(join(at, "flash.img"));
    writeFileSync(path("short.img"), "short");
    writeFileSync(path("erased.img"), Buffer.alloc(131_072, 0xff));
    writeFileSync(path("noise.img"), seededRandom(1).bytes(131_072));
    writeFileSync(path("long.img"), Buffer.alloc(131_073));
    for (const [name, sentence] of [
      ["short.img", /5 bytes, not 131072/],
      ["erased.img", /nothing is in it/],
      ["noise.img", /holds something else than a token's storage/],
      ["long.img", /at most 131072 belong here/],
      ["none.img", /none\.img is not there/],
    ] as const) {
      await refuses(["flash", "import", path(name), "--yes", "--state", at], 2, sentence);
    }
    assert.deepEqual(readFileSync(join(at, "flash.img")), before);
    await refuses(["flash", "export", path("no", "folder.img"), "--state", at], 2, /cannot be written: ENOENT/);
  });

  it("import mends a state that is damaged", async () => {
    const backup = path("mend.img");
    assert.equal((await run("flash", "export", backup)).code, 0);
    const at = path("damaged");
    mkdirSync(at);
    writeFileSync(join(at, "flash.img"), "short");
    await refuses(["flash", "--state", at], 1, /it has 5 bytes, the flash of a token 131072/);
    assert.equal((await processes.run(["token", "flash", "import", backup, "--yes", "--state", at])).code, 0);
    assert.equal((await processes.run(["token", "flash", "--state", at])).code, 0);
    writeFileSync(join(at, "flash.img"), seededRandom(1).bytes(131_072));
    await refuses(["platforms", "--state", at], 1, /Erase it with: fobnail token wipe --state/);
  });

  it("all of it is refused while the token runs, and where none ever did", async () => {
    const { at, ids: [id = ""] } = fresh(1); // biome-ignore format: one line
    const token = processes.start(["token", "--state", at, "--port", "0"]);
    await token.line(/Link is up$/);
    const inUse = new RegExp(`flash\\.img is in use by process ${token.pid}`);
    const commands = [
      ["platforms"],
      ["platforms", "rename", id, "x"],
      ["platforms", "remove", id, "--yes"],
      ["flash"],
      ["flash", "ls"],
      ["flash", "cat", "root/owner"],
      ["flash", "install-cert", path("other.der")],
      ["flash", "export", path("stolen.img")],
      ["flash", "import", path("backup.img"), "--yes"],
    ];
    for (const command of commands) await refuses([...command, "--state", at], 1, inUse);
    assert.ok(!existsSync(path("stolen.img")));
    assert.equal(await token.kill("SIGTERM"), 0);
    for (const command of commands.slice(0, -1)) {
      await refuses([...command, "--state", path("nowhere")], 2, /holds no token's state/);
    }
  });

  it("a state that cannot be looked at is not taken for one that is not there", async () => {
    symlinkSync(path("round"), path("round"));
    await refuses(["platforms", "--state", path("round")], 2, /round cannot be looked at: ELOOP/);
    await refuses(["wipe", "--yes", "--state", path("round")], 2, /round cannot be looked at: ELOOP/);
  });
});
