import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toPem } from "../../../shared/x509/index.ts";
import { vendorRoot } from "../../support/fake-attester.ts";
import { Processes } from "../../support/process.ts";

const IMAGE_BYTES = 128 * 1024;

describe("fobnail token, used wrongly", function () {
  this.timeout(60_000);
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-token-"));
  const path = (name: string) => join(folder, name);

  before(() => {
    writeFileSync(path("file"), "a file\n");
    writeFileSync(path("garbage.pem"), "no certificate\n");
    writeFileSync(path("armour.pem"), "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n");
    mkdirSync(path("empty"));
    mkdirSync(path("unusable"));
    writeFileSync(path("unusable/garbage.pem"), "no certificate\n");
    mkdirSync(path("garbage"));
    writeFileSync(path("garbage/flash.img"), Buffer.alloc(IMAGE_BYTES, "not a flash "));
    mkdirSync(path("short"));
    writeFileSync(path("short/flash.img"), "short");
    mkdirSync(path("taken/flash.img"), { recursive: true });
  });

  after(async () => {
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const cases: readonly (readonly [what: string, args: readonly string[], code: number, sentence: RegExp])[] = [
    ["an unknown option", ["--bogus"], 2, /unknown option '--bogus'/],
    ["an argument too many", ["extra"], 2, /too many arguments/],
    ["a link that does not exist", ["--net", "tcp"], 2, /Allowed choices are usb, udp/],
    ["a port over 65535", ["--attester", "127.0.0.1:99999"], 2, /HOST or HOST:PORT belongs here/],
    ["port 0", ["--owner", "127.0.0.1:0"], 2, /HOST or HOST:PORT belongs here/],
    ["an address with two colons", ["--attester", "::1"], 2, /HOST or HOST:PORT belongs here/],
    [
      "a name that nobody knows",
      ["--api", "v0", "--attester", "fobnail.invalid:5683"],
      3,
      /fobnail\.invalid has no IPv4 address/,
    ],
    ["a missing owner root", ["--owner-root", path("none.pem")], 2, /none\.pem is not there/],
    ["a missing TPM vendor's root", ["--ek-root", path("none.pem")], 2, /none\.pem is not there/],
    [
      "a root that is no certificate",
      ["--ek-root", path("garbage.pem")],
      2,
      /garbage\.pem: no certificate that can be used/,
    ],
    [
      "PEM around something else",
      ["--owner-root", path("armour.pem")],
      2,
      /armour\.pem: no certificate that can be used/,
    ],
    ["a folder without certificates", ["--ek-root", path("empty")], 2, /empty: no certificate in it/],
    [
      "a folder with nothing that can be used",
      ["--ek-root", path("unusable")],
      2,
      /unusable: no certificate in it; .*garbage\.pem: no certificate that can be used/,
    ],
    ["a state folder without a name", ["--state", ""], 2, /--state needs the name of a folder/],
    ["a state folder that is a file", ["--state", path("file")], 2, /file is not a folder/],
    ["a state folder below a file", ["--state", path("file/state")], 2, /cannot be made: ENOTDIR/],
    ["a state folder where nobody may write", ["--state", "/sys/fobnail"], 2, /\/sys\/fobnail cannot be made: E/],
    ["a flash image that is a folder", ["--state", path("taken")], 2, /flash\.img cannot be used as flash/],
    ["a flash image of another size", ["--state", path("short")], 1, /it has 5 bytes, the flash of a token 131072/],
    ["a damaged flash image", ["--state", path("garbage")], 1, /Erase it with: fobnail token wipe --state .*garbage/],
    ["a wipe where no token ever was", ["wipe", "--yes", "--state", path("none")], 2, /nothing was wiped/],
    ["a wipe that nobody can be asked about", ["wipe", "--state", path("garbage")], 2, /--yes wipes without asking/],
  ];

  for (const [what, args, code, sentence] of cases) {
    it(`${code}: ${what}`, async () => {
      const state = args.includes("--state") ? [] : ["--state", path("state")];
      const outcome = await processes.run(["token", ...args, ...state]);
      assert.match(outcome.text, sentence);
      assert.equal(outcome.code, code);
      assert.doesNotMatch(outcome.text, /bug of the program|\n\s+at /);
    });
  }

  it("erases a damaged image when told to, and can be used again", async () => {
    const wiped = await processes.run(["token", "wipe", "--yes", "--state", path("garbage")]);
    assert.deepEqual(wiped, { code: 0, text: `${path("garbage")}: wiped` });
    const token = processes.start(["token", "--state", path("garbage"), "--unplugged", "--port", "0"]);
    await token.line(/not provisioned$/);
    token.type("q");
    assert.equal(await token.ended, 0);
  });

  it("takes the roots of a folder that can be used, and names the others", async () => {
    mkdirSync(path("mixed"));
    writeFileSync(path("mixed/a.pem"), "no certificate\n");
    writeFileSync(path("mixed/b.pem"), toPem("CERTIFICATE", vendorRoot("mixed").certificate.der));
    const at = ["--state", path("mixed-state")];
    const token = processes.start(["token", ...at, "--ek-root", path("mixed"), "--unplugged", "--port", "0"]);
    await token.line(/Passed over .*mixed\/a\.pem: no certificate that can be used/);
    await token.line(/not provisioned$/);
    token.type("q");
    assert.equal(await token.ended, 0);
    const facts = JSON.parse((await processes.run(["token", "flash", "--json", ...at])).text);
    assert.equal(facts.ekRoots.length, 1);
    const { code, text } = await processes.run(["token", "flash", "install-cert", path("mixed"), ...at]);
    assert.equal(code, 0);
    assert.match(text, /Passed over .*mixed\/a\.pem: no certificate that can be used/);
    assert.match(text, /Trusted as a TPM vendor's root: .*mixed root/);
  });

  it("runs without roots, and says what is missing", async () => {
    const token = processes.start(["token", "--api", "v0", "--state", path("rootless"), "--attester", "127.0.0.1:9"]);
    await token.line(/No owner root is known: give it once with --owner-root FILE/);
    await token.line(/No TPM vendor's root is known: give it once with --ek-root FILE/);
    await token.line(/lamps red: not provisioned by an owner yet/);
    assert.equal(await token.kill("SIGTERM"), 0);
  });
});
