import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../attester/cli/exit.ts";
import { createTpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { openTpm } from "../../hw/tpm/open.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { profileNamed } from "../../token/domain/profile.ts";
import { createToken } from "../../token/token.ts";
import { conformanceCommand } from "./cli.ts";
import { readKeys } from "./keys.ts";
import { rows } from "./rows/index.ts";

const SILENT = { write: () => undefined };

/** The program in this process: its exit code and what it printed. */
async function conformance(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const { log, error } = console;
  const lines: string[] = [];
  const note = (...parts: readonly unknown[]) => void lines.push(parts.join(" "));
  Object.assign(console, { log: note, error: note });
  const command = conformanceCommand().configureOutput({ writeOut: note, writeErr: note });
  const exitCode = process.exitCode;
  try {
    const code = await runProgram(command, args);
    return { code, output: lines.join("\n") };
  } finally {
    process.exitCode = exitCode;
    Object.assign(console, { log, error });
  }
}

/** A token on a UDP port of this machine, in real time. */
async function runningToken(ownerRoot: Certificate, ekRoots: readonly Certificate[]) {
  const env = {
    clock: realClock,
    random: systemRandom,
    flash: createRamFlash(),
    leds: { show: () => undefined },
    log: SILENT,
    button: { onChange: () => () => undefined },
  };
  const token = createToken(env, { api: "v1", profile: profileNamed("strict"), ownerRoot, ekRoots });
  const port = await openUdpPort("127.0.0.1", 0);
  const stop = token.serve(port);
  return {
    target: `udp:127.0.0.1:${port.local.port}`,
    async close() {
      stop();
      token.stop();
      await port.close();
    },
  };
}

describe("conformance program", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-conformance-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("prints the matrix and the summary, and ends with 0", async () => {
    const { code, output } = await conformance("--row", "VE-01", "no-0");
    assert.equal(code, 0, output);
    assert.match(output, /^emulator, strict: 9 rows\npass {2}VE-01 {2}GET \/api\/version names version 1/);
    assert.match(output, /\n9 rows: 9 pass, 0 fail, 0 not applicable \(\d+\.\d s\)$/);
  });

  it("tries the same over UDP sockets, in the other profile", async () => {
    const { code, output } = await conformance(
      "--target",
      "emulator-udp",
      "--profile",
      "compat",
      "--row",
      "VE",
      "GR-04",
    );
    assert.equal(code, 0, output);
    assert.match(output, /^emulator-udp, compat: 10 rows\n/);
  });

  it("lists the rows with their sources", async () => {
    const { code, output } = await conformance("--list", "--profile", "compat");
    assert.equal(code, 0);
    assert.match(
      output,
      /\nTP-03 {2}the root may stand anywhere.*\n {7}strict, compat; blank; docs\/api\.md, Certificates; D-08\n/,
    );
    assert.match(output, new RegExp(`\\d+ rows for compat, ${rows.length} altogether$`));
    assert.doesNotMatch(output, /\nAK-05 /, "rows of the other profile are not shown");
  });

  it("writes a report for other programs", async () => {
    const file = join(folder, "results.xml");
    const { code } = await conformance("--row", "VE-01", "--junit", file);
    assert.equal(code, 0);
    const xml = readFileSync(file, "utf8");
    assert.match(xml, /<testsuite name="fobnail conformance, emulator, strict" tests="1" failures="0" time="[\d.]+">/);
    assert.match(xml, /<testcase classname="conformance\.strict" name="VE-01 GET \/api\/version/);
  });

  const mistakes: readonly (readonly [args: readonly string[], code: number, sentence: RegExp])[] = [
    [["--target", "emulator", "--usb"], 2, /--usb belongs to --target usb/],
    [["--usb", "usbip:h:0"], 2, /0 is no port/],
    [["--target", "serial"], 2, /emulator, emulator-udp, udp:HOST:PORT or usb/],
    [["--profile", "lax"], 2, /strict, compat/],
    [["--row", "ZZ-01"], 2, /there is no row ZZ-01; --list shows them/],
    [["--junit", "/nowhere/results.xml"], 2, /\/nowhere\/results\.xml cannot be written: ENOENT/],
    [["--target", "udp:127.0.0.1:9"], 2, /needs --keys DIR \(see --write-roots\), or --chain, --key and --tpm/],
    [["--target", "udp:127.0.0.1:9", "--keys", "/nowhere"], 2, /\/nowhere\/vendor\.pem is not there/],
  ];
  for (const [args, code, sentence] of mistakes) {
    it(`${args.join(" ")}: ${code} with a sentence`, async () => {
      const result = await conformance(...args);
      assert.equal(result.code, code, result.output);
      assert.match(result.output, sentence);
    });
  }

  it("writes keys once, and says how to start a token with them", async () => {
    const keys = join(folder, "said");
    const { code, output } = await conformance("--write-roots", keys);
    assert.equal(code, 0, output);
    assert.match(output, /--owner-root \S+\/said\/root\.pem --ek-root \S+\/said\/vendor\.pem\n/);
    assert.match(output, /--target udp:127\.0\.0\.1:5683 --profile strict --keys \S+\/said$/);
    const again = await conformance("--write-roots", keys);
    assert.equal(again.code, 2);
    assert.match(again.output, /is there already and is not overwritten/);
  });

  it("tries a token that somebody else runs, and says what cannot be tried there", async () => {
    const keys = join(folder, "keys");
    await conformance("--write-roots", keys);
    const { owner, vendor } = readKeys(keys);
    const token = await runningToken(owner.root, vendor === undefined ? [] : [vendor.certificate]);
    try {
      const chosen = ["--row", "EV-01", "PC-01", "PC-12", "TP-01", "LD-01", "FI-13", "FI-15", "AK-27"];
      const { code, output } = await conformance("--target", token.target, "--keys", keys, ...chosen);
      assert.equal(code, 0, output);
      const order = [...output.matchAll(/^(?:pass|n\/a ) {2}(\S+)/gm)].map(([, id]) => id);
      assert.deepEqual(order.slice(0, 2), ["TP-01", "LD-01"], "rows that leave the token blank come first");
      assert.match(output, /pass {2}PC-01 /);
      assert.match(output, /n\/a {3}PC-12 .*\n {12}the token has an owner already/);
      assert.match(output, /n\/a {3}LD-01 .*\n {12}the lamps of this token cannot be seen from here/);
      assert.match(output, /n\/a {3}AK-27 .*\n {12}needs a TPM: --tpm/);
      assert.match(output, /8 rows: 3 pass, 0 fail, 5 not applicable/);
      const wrong = await conformance(
        "--target",
        token.target,
        "--keys",
        keys,
        "--profile",
        "compat",
        "--row",
        "VE-07",
      );
      assert.equal(wrong.code, 1, "a row that fails");
      assert.match(wrong.output, /FAIL {2}VE-07 .*\n {12}GET \/api\/version: Content-Format: none expected, 60 seen/);
    } finally {
      await token.close();
    }
  });

  it("says when no token answers", async () => {
    const keys = join(folder, "unanswered");
    await conformance("--write-roots", keys);
    const port = await openUdpPort("127.0.0.1", 0);
    const target = `udp:127.0.0.1:${port.local.port}`;
    try {
      const { code, output } = await conformance("--target", target, "--keys", keys, "--row", "VE-01");
      assert.equal(code, 3);
      assert.match(output, /no token answers at 127\.0\.0\.1:\d+/);
    } finally {
      await port.close();
    }
  });

  it("tries a token with the chain and the TPM of its owner", async () => {
    const keys = join(folder, "owner");
    await conformance("--write-roots", keys);
    const spec = `emulator:${join(folder, "tpm")}`;
    const opened = await openTpm(spec, { random: systemRandom, clock: realClock });
    const client = createTpmClient(opened.transport, { random: systemRandom, clock: realClock, log: SILENT });
    await client.startUp({ platform: opened.platform, own: true });
    const made = await client.turn((runner) =>
      manufactureTpm(runner, { random: systemRandom, today: Date.UTC(2026, 0, 1) }),
    );
    await client.shutDown();
    await opened.close();
    assert.ok(made.ok);
    const token = await runningToken(readKeys(keys).owner.root, [made.root]);
    try {
      const owner = ["--chain", join(keys, "chain.pem"), "--key", join(keys, "key.pem"), "--tpm", spec];
      const { code, output } = await conformance(
        "--target",
        token.target,
        ...owner,
        "--row",
        "EV-01",
        "EV-20",
        "OC-06",
      );
      assert.equal(code, 0, output);
      assert.match(output, /pass {2}EV-01 /);
      assert.match(output, /n\/a {3}EV-20 .*\n {12}needs keys of the suite's own: --keys DIR/);
      assert.match(output, /n\/a {3}OC-06 .*\n {12}needs the owner root's key: --keys DIR/);
    } finally {
      await token.close();
    }
  });
});
