import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../../../hw/clock/real.ts";
import { openUdpPort } from "../../../../hw/net/udp.ts";
import { createEndpoint } from "../../../../shared/coap/index.ts";
import { buildCsr, parseCertificate, tokenSubject } from "../../../../shared/x509/index.ts";
import { ed25519, random } from "../../../support/x509.ts";
import { type Ended, run } from "./run.ts";

const MAIN = new URL("../../../../attester/owner/cli/main.ts", import.meta.url).pathname;

/** The program as users start it, its input closed. `until` resolves when the output has it. */
class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #out = "";
  #err = "";

  constructor(...args: readonly string[]) {
    const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.on("data", (data: Buffer) => {
      this.#out += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      this.#err += data.toString();
    });
    this.#ended = once(child, "close").then(([code]) => ({ code, out: this.#out, err: this.#err }));
  }

  get ended(): Promise<Ended> {
    return this.#ended;
  }

  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#out);
      if (found !== null) return found;
      const stopped = await Promise.race([once(this.#child.stdout ?? this.#child, "data"), this.#ended]);
      if (!Array.isArray(stopped)) assert.fail(`ended before ${pattern}: ${this.#out}${this.#err}`);
    }
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }
}

describe("fobnail-platform-owner", function () {
  this.timeout(60_000);
  let folder = "";
  const owner = () => join(folder, "owner");
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-owner-"));
    const made = await run("init", owner(), "--key", "ecc", "--name", "Someone");
    assert.equal(made.code, 0, made.err);
    assert.match(made.out, /chain\.pem: root, intermediate, issuing CA\n.*key\.pem/);
  });
  after(() => rmSync(folder, { recursive: true }));

  it("provisions the expected token, records it, ends on Ctrl-C with 0", async () => {
    const program = new Program("serve", owner(), "--api", "v0", "--port", "0", "--expect", "0x00a1");
    const [, port = ""] = await program.until(/serves API v0 on 127\.0\.0\.1:(\d+)\.\n.*A1\./);
    const udp = await openUdpPort("127.0.0.1", 0);
    const client = createEndpoint({ port: udp, clock: realClock, random });
    const post = (deviceId: string) => {
      const payload = buildCsr({ subject: tokenSubject(deviceId), key: ed25519(deviceId) }, random);
      return client.request({ address: "127.0.0.1", port: Number(port) }, { method: "POST", path: ["csr"], payload });
    };
    const certificate = parseCertificate((await post("A1")).payload);
    const denied = await post("B2");
    assert.match(new TextDecoder().decode(denied.payload), /^not-expected: B2/);
    client.close();
    await udp.close();
    program.interrupt();
    const ended = await program.ended;
    assert.equal(ended.code, 0);
    const serial = Buffer.from(certificate.serial).toString("hex");
    assert.match(ended.out, new RegExp(`Issued certificate ${serial} for token A1`));
    assert.match(ended.err, /No certificate \(not-expected\)/);
    assert.match((await run("list", owner())).out, new RegExp(`^DEVICE .*\nA1 .*  good {3}${serial}\n$`));
  });

  it("says in a sentence what is wrong, with the exit code that fits", async () => {
    const taken = await openUdpPort("127.0.0.1", 0);
    writeFileSync(join(folder, "garbage.pem"), "garbage");
    copyFileSync(join(owner(), "root-key.pem"), join(folder, "other.pem"));
    const [chain, key] = [join(owner(), "chain.pem"), join(owner(), "key.pem")];
    const cases: readonly (readonly [number, RegExp, ...string[]])[] = [
      [1, /key\.pem is there already and is not overwritten/, "init", owner()],
      [2, /cannot be filled/, "init", join(folder, "not", "there")],
      [2, /cannot be filled/, "init", join(folder, "garbage.pem", "owner")],
      [2, /missing required argument 'dir'/, "serve"],
      [2, /no-such.chain\.pem is not there/, "serve", join(folder, "no-such")],
      [2, /no PEM file of certificates/, "serve", owner(), "--chain", join(folder, "garbage.pem")],
      [2, /not the key of the last certificate/, "serve", owner(), "--key", join(folder, "other.pem")],
      [2, /device id has 1 to 32 hex/, "serve", owner(), "--expect", "xyz"],
      [2, /whole number from 0 to 65535/, "serve", owner(), "--port", "99999"],
      [2, /not a dotted IPv4 address/, "serve", owner(), "--bind", "localhost"],
      [2, /Allowed choices are v0/, "serve", owner(), "--api", "v9"],
      [2, /1 to 40 characters/, "init", join(folder, "x"), "--name", ""],
      [2, /unknown command 'nonsense', or KEY\.pem is missing/, "nonsense"],
      [2, /Usage: fobnail-platform-owner CHAIN\.pem KEY\.pem/],
      [2, /too many arguments/, "a", "b", "c"],
      [2, /a\.pem is not there/, join(folder, "a.pem"), join(folder, "b.pem")],
      [2, /HOST or HOST:PORT/, chain, key, "--token", "1.2.3.4:0"],
      [2, /none\.example: no IPv4/, chain, key, "--token", "none.example:1"],
      [2, /none is not there/, chain, key, "--record", join(folder, "none", "issued.json")],
      [2, /not a record of issued/, chain, key, "--record", join(folder, "garbage.pem")],
      [2, /whole number from 1 to 36500/, chain, key, "--days", "0"],
      [2, /is not there/, "show", join(folder, "none"), "A1"],
      [1, /no certificate of device or serial number FFFF/, "show", owner(), "FFFF"],
      [1, /no certificate of device or serial number FFFF/, "revoke", owner(), "FFFF"],
      [2, /Allowed choices are unspecified, keyCompromise/, "revoke", owner(), "A1", "--reason", "boredom"],
      [2, /'--chain <file>' not specified/, "platforms"],
      [2, /'--key <file>' not specified/, "platforms", "list", "--chain", chain],
      [2, /unknown command 'sell'|too many arguments/, "platforms", "sell", "--chain", chain, "--key", key],
      [2, /no terminal to ask on: --yes/, "platforms", "remove", "ab", "--chain", chain, "--key", key],
      [2, /At most 64 bytes/, "platforms", "rename", "ab", "x".repeat(65), "--chain", chain, "--key", key],
      [2, /At most 64 bytes of text/, "platforms", "rename", "ab", "a\u001bb", "--chain", chain, "--key", key],
      [3, /is taken by another program/, "serve", owner(), "--port", String(taken.local.port)],
      [0, /^$/, "--help"],
      [0, /^$/, "list", folder],
    ];
    try {
      for (const [code, text, ...args] of cases) {
        const got = await run(...args);
        assert.equal(got.code, code, `${args.join(" ")}: ${got.err}`);
        assert.match(got.err, text);
        assert.doesNotMatch(got.err, /\n\s+at /, args.join(" "));
      }
    } finally {
      await taken.close();
    }
  });
});
