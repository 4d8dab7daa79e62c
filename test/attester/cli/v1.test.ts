import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { openUdpPort } from "../../../hw/net/udp.ts";
import type { Certificate } from "../../../shared/x509/index.ts";
import type { UdpToken } from "../../support/v1-udp-token.ts";
import { runHere } from "./run-here.ts";
import { AttesterPrograms, type Ended } from "./v1-scene.ts";

function says({ code, stdout, stderr }: Ended, wanted: number, pattern: RegExp): void {
  assert.match(`${stdout}${stderr}`, pattern);
  assert.doesNotMatch(stderr, /\n {4}at /, "no stack");
  assert.equal(code, wanted, stderr);
}

const POLL_MS = 20;

async function eventually(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += POLL_MS) {
    assert.ok(waitedMs < withinMs, `${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

describe("fobnail-attester and a token of API v1", function () {
  this.timeout(60_000);
  const programs = new AttesterPrograms();
  let spec = "";
  let root: Certificate;
  before(async () => {
    ({ spec, root } = await programs.manufacture("tpm"));
  });
  after(() => programs.close());

  for (const profile of ["strict", "compat"] as const) {
    describe(profile, () => {
      let token: UdpToken;
      before(async () => {
        token = await programs.token(profile, root);
      });
      after(() => token.close());

      const attestations = () => token.events.filter(({ type }) => type === "attested").length;
      const options = () => [
        ...["--token", `127.0.0.1:${token.peer.port}`, "--tpm", spec],
        ...["--platform", "apu2", "--launch"],
      ];

      it("says that this platform is unknown, and how to change that", async () => {
        says(await programs.run(["attest", ...options()]), 1, /provision it: fobnail-attester provision/);
        says(await programs.run(options()), 1, /--provision enrols it/);
      });

      it("provisions, attests and carries files in the order of the command line", async () => {
        writeFileSync(programs.file("a"), "first");
        writeFileSync(programs.file("b"), "second");
        const files = ["-w", "a:x", "-r", "x:one", "-w", "b:x", "-r", "x:two", "-w", "one:copy", "-d", "x"];
        const ended = await programs.run([...options(), "--provision", ...files]);
        says(ended, 0, /Attested with the/);
        assert.equal(ended.stderr.includes("Offering"), profile === "compat");
        assert.deepEqual(
          ended.stdout
            .toString()
            .split("\n")
            .filter((line) => /^(Prov.* with|Attested|Wrote|Read|Deleted)/.test(line)),
          [
            `Provisioned with the ${profile === "strict" ? "restricted RSA key" : "reference's unrestricted RSA key"}.`,
            `Attested with the ${profile === "strict" ? "restricted RSA key" : "reference's unrestricted RSA key"}.`,
            "Wrote a to x (5 bytes, created).",
            "Read x into one (5 bytes).",
            "Wrote b to x (6 bytes, replaced).",
            "Read x into two (6 bytes).",
            "Wrote one to copy (5 bytes, created).",
            "Deleted x.",
          ],
        );
        assert.equal(readFileSync(programs.file("one"), "utf8"), "first");
        assert.equal(readFileSync(programs.file("two"), "utf8"), "second");
        assert.equal(statSync(programs.file("two")).mode & 0o777, 0o600);
        assert.deepEqual(
          readdirSync(dirname(programs.file("two"))).filter((name) => name.endsWith(".new")),
          [],
        );
      });

      it("provisions nothing a second time", async () => {
        says(await programs.run([...options(), "--provision"]), 0, /^(?![\s\S]*Provision)[\s\S]*Attested with/);
        says(
          await programs.run(["provision", ...options()]),
          1,
          /error: the token refuses enrolling the platform \(4\.03/,
        );
      });

      it("gives standard output to the bytes of files alone", async () => {
        const secret = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7) % 256));
        const ended = await programs.run([...options(), "-w", "-:raw", "-r", "raw:-", "-r", "copy:-"], secret);
        says(ended, 0, /Attested with/);
        assert.deepEqual(ended.stdout, Buffer.concat([secret, Buffer.from("first")]));
        assert.match(ended.stderr, /Read raw into - \(3000 bytes\)/);
        const json = await programs.run([...options(), "--json", "-r", "copy:-"]);
        assert.equal(json.stdout.toString(), "first");
        const lines = json.stderr.trimEnd().split("\n");
        const read: unknown = lines.map((line) => JSON.parse(line)).find(({ command }) => command === "read");
        assert.ok(read !== undefined && JSON.stringify(read).includes('"bytes":5'));
      });

      if (profile === "compat") return; // the rest has nothing to do with the profile

      it("stops at the first failure", async () => {
        const ended = await programs.run([...options(), "-r", "copy:-", "-r", "gone:no", "-d", "copy"]);
        says(ended, 1, /error: the token refuses reading "gone" \(4\.04: /);
        assert.equal(ended.stdout.toString(), "first");
        assert.ok(!existsSync(programs.file("no")));
        says(await programs.run([...options(), "-r", "copy:kept"]), 0, /Read copy/);
      });

      it("says that nobody reads what it writes: the token's file went nowhere", async () => {
        const running = programs.start([...options(), "-r", "copy:-", "-d", "copy"], "");
        running.child.stdout?.destroy();
        says(await running.ended, 2, /error: standard output cannot be written: EPIPE\n$/);
        says(await programs.run([...options(), "-r", "copy:kept"]), 0, /Read copy/);
      });

      it("replaces what a link points to, and leaves folders and closed folders alone", async () => {
        writeFileSync(programs.file("target"), "old");
        chmodSync(programs.file("target"), 0o644);
        rmSync(programs.file("link"), { force: true });
        symlinkSync("target", programs.file("link"));
        says(await programs.run([...options(), "-r", "copy:link"]), 0, /Read copy/);
        assert.equal(readFileSync(programs.file("target"), "utf8"), "first");
        assert.equal(statSync(programs.file("target")).mode & 0o777, 0o600);
        says(await programs.run([...options(), "-r", "copy:."]), 2, /error: \. cannot be written: it is a folder/);
        says(
          await programs.run([...options(), "-r", "copy:nowhere/x"]),
          2,
          /nowhere\/x cannot be written: nowhere is no/,
        );
        says(await programs.run([...options(), "-r", "copy:/dev/full"]), 2, /\/dev\/full cannot be written: ENOSPC/);
        says(await programs.run([...options(), "-r", "copy:/dev/null"]), 0, /Read copy/);
        for (const name of ["link", "target"]) assert.ok(existsSync(programs.file(name)));
      });

      it("takes names with colons where it can", async () => {
        const ended = await programs.run([...options(), "-w", "-:a:b", "-r", "a:b:-", "-d", "a:b"], "colons");
        says(ended, 0, /Deleted a:b/);
        assert.equal(ended.stdout.toString(), "colons");
        mkdirSync(programs.file("d:d"), { recursive: true });
        says(await programs.run([...options(), "-r", "copy:d:d/x", "-w", "d:d/x:y"]), 0, /Wrote d:d\/x to y/);
      });

      it("says what the token says to too much, and to a boot without launch", async () => {
        const large = await programs.run([...options(), "-w", "-:large"], new Uint8Array(6001));
        says(large, 1, /error: the token refuses writing "large" \(5\.00/);
        says(await programs.run([...options(), "-w", "-:large"], new Uint8Array(65_537)), 2, /more than 65536 bytes/);
        const other = options().filter((option) => option !== "--launch");
        says(await programs.run(["attest", ...other]), 1, /refuses the evidence \(4\.03.*17, 18 do not hold/);
        const json = await programs.run(["attest", "--json", ...other]);
        const line = JSON.parse(json.stdout.toString().trimEnd().split("\n").at(-1) ?? "");
        assert.equal(line.reason, "no-dynamic-launch");
        assert.ok(line.pcrs.includes(17));
        assert.equal(json.code, 1);
      });

      it("watches until Ctrl-C, and ends with the last verdict", async () => {
        const watch = programs.start(["watch", "--interval", "1", ...options()]);
        await watch.until(/Attested with/);
        const before = attestations();
        await eventually("three more attestations", () => attestations() > before + 2);
        assert.ok(token.lamps.green);
        watch.child.kill("SIGINT");
        const { code, stdout } = await watch.ended;
        assert.equal(code, 0);
        assert.equal(stdout.toString().match(/Attested/g)?.length, 1, "told once");
        const other = options().filter((option) => option !== "--launch");
        const red = programs.start(["watch", ...other]);
        await red.until(/warning: the token refuses the evidence/);
        red.child.kill("SIGTERM");
        assert.equal((await red.ended).code, 1);
      });
    });
  }

  it("tells a token without an owner from one that is not there", async () => {
    const token = await programs.token("strict", root, { owned: false });
    const where = `127.0.0.1:${token.peer.port}`;
    const options = ["--tpm", spec, "--platform", "apu2", "--launch", "--token"];
    says(await programs.run(["provision", ...options, where]), 1, /refuses the EK certificates \(4\.04/);
    await token.close();
    const ended = await programs.run(["provision", ...options, where]);
    says(ended, 3, /error: no token answers at 127\.0\.0\.1:\d+/);
    assert.match(ended.stdout.toString(), /^Waiting for the token at/, "and says what it waits for");
  });

  it("ends in order on Ctrl-C while it waits, for the token or for standard input", async () => {
    const silent = await openUdpPort("127.0.0.1", 0);
    const options = ["--tpm", spec, "--platform", "apu2", "--token", `127.0.0.1:${silent.local.port}`];
    try {
      for (const [args, line] of [
        [["attest", ...options], /Waiting for the token/],
        [["watch", ...options], /Waiting for the token/],
        [[...options, "--verbose", "-w", "-:x"], /Reading standard input/],
      ] as const) {
        const program = programs.start(args);
        await program.until(line);
        program.child.kill("SIGINT");
        says(await program.ended, 1, /error: interrupted by SIGINT/);
      }
    } finally {
      await silent.close();
    }
  });

  describe("used wrongly", () => {
    const good = ["--tpm", "emulator", "--platform", "apu2", "--token", "127.0.0.1:9"];
    for (const [what, args, code, sentence] of [
      ["an unknown command", ["atest"], 2, /unknown command 'atest'/],
      ["an argument behind a command", ["attest", "now"], 2, /too many arguments/],
      ["an option before a command", ["--json", "attest"], 2, /^error: --json belongs behind the command's name/],
      ["a file option with a command", ["attest", "-d", "x"], 2, /unknown option '-d'/],
      ["a token that is no address", [...good, "--token", "a:b:c"], 2, /HOST or HOST:PORT belongs here/],
      ["a token whose name nobody has", [...good, "--token", "no.invalid"], 2, /no IPv4 address has that name/],
      ["-r without a colon", ["-r", "key"], 2, /TOKEN:LOCAL belongs here, such as key:-/],
      ["-r without a local name", ["-r", "key:"], 2, /TOKEN:LOCAL belongs here/],
      ["-r without a name", ["-r", ":x"], 2, /a file name is not empty/],
      ["-w without a colon", ["-w", "key"], 2, /LOCAL:TOKEN belongs here/],
      ["-w without a local name", ["-w", ":key"], 2, /LOCAL:TOKEN belongs here/],
      ["-w with a folder in the token", ["-w", "-:a/b"], 2, /holds neither \/ nor NUL/],
      ["-d with a name that is none", ["-d", ".."], 2, /"\.\." is no file name/],
      ["-d with an endless name", ["-d", "x".repeat(256)], 2, /at most 255 bytes/],
      ["-w of what is not there", [...good, "-w", "nothing:x"], 2, /^error: nothing is not there/],
      ["standard input twice", [...good, "-w", "-:x", "-w", "-:y"], 2, /standard input can be read once only/],
      ["an interval that is none", ["watch", "--interval", "0"], 2, /a whole number from 1 to 86400/],
      ["a TPM that is none, before any token is waited for", [...good, "--tpm", "chip"], 2, /--tpm chip: not known/],
      ["a key that is none", ["attest", "--key", "dsa"], 2, /Allowed choices are rsa, ecc/],
    ] as const) {
      it(`says a sentence and ends with ${code}: ${what}`, async () => {
        const { code: got, output } = await runHere(args);
        assert.match(output, sentence);
        assert.equal(got, code);
      });
    }

    it("helps with examples", async () => {
      for (const args of [["--help"], ["attest", "--help"], ["watch", "--help"], ["provision", "--help"]]) {
        const { code, output } = await runHere(args);
        assert.equal(code, 0);
        for (const text of [
          "--token",
          "--tpm",
          "--platform",
          "--key",
          "--ek-chain",
          "--no-aia",
          "--launch",
          "--json",
        ]) {
          assert.ok(output.includes(text), text);
        }
        assert.match(output, /Examples:[\s\S]*cryptsetup[\s\S]*Exit codes: 0 done/);
      }
    });
  });
});
