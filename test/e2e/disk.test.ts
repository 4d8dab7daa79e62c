import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemRandom } from "../../hw/random/system.ts";
import { commandLine } from "../support/process.ts";
import { needs } from "../support/programs.ts";
import { Cast, Token } from "./cast.ts";

const IMAGE_BYTES = 32 * 1024 * 1024;
const KEY_BYTES = 64;
/** The key has more entropy than any stretching could add, and a test no time for it. */
const FORMAT = ["luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];

const execute = promisify(execFile);

interface Ended {
  readonly code: number;
  readonly said: string;
}

/** A line for bash, to its end; the exit code is that of the last command of a pipe. */
async function bash(line: string): Promise<Ended> {
  try {
    const { stdout, stderr } = await execute("bash", ["-c", line]);
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, said: stdout + stderr };
  }
}

describe("a disk whose key is in the token (docs/disk-encryption.md)", function () {
  this.timeout(60_000);
  const cast = new Cast(mkdtempSync(join(tmpdir(), "fobnail-disk-")));
  const [image, keyFile] = [cast.path("disk.img"), cast.path("disk.key")];
  let token: Token;
  let port: number;

  const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
  /** What a boot runs: the attester with the walk-through's computer. */
  const attester = (...more: readonly string[]) =>
    quoted(
      commandLine([
        ...["attester", "--token", `127.0.0.1:${port}`, "--tpm", `emulator:${cast.path("tpm")}`],
        ...["--platform", "apu2", "--no-aia", ...more],
      ]),
    );
  const cryptsetup = (...args: readonly string[]) => quoted(["cryptsetup", ...args, image]);

  before(async function () {
    needs(this, "cryptsetup");
    await cast.command("tpm", "manufacture", "--tpm", `emulator:${cast.path("tpm")}`, "--out", cast.path("vendor"));
    await cast.command("owner", "init", cast.path("owner"), "--key", "ecc");
    const roots = ["--owner-root", cast.path("owner", "root.pem"), "--ek-root", cast.path("vendor", "vendor-root.pem")];
    const where = ["--net", "udp", "--port", "0", "--state", cast.path("token")];
    token = new Token(cast.processes.start(["token", "--json", ...where, ...roots]));
    port = Number((await token.event("listening"))["port"]);
    const files = [cast.path("owner", "chain.pem"), cast.path("owner", "key.pem")];
    await cast.command("owner", ...files, "--token", `127.0.0.1:${port}`);
  });

  after(async () => {
    await cast.processes.killAll();
    rmSync(cast.folder, { recursive: true, force: true });
  });

  it("is formatted with a key that goes into the token", async () => {
    writeFileSync(keyFile, systemRandom.bytes(KEY_BYTES), { mode: 0o600 });
    writeFileSync(image, "");
    truncateSync(image, IMAGE_BYTES);
    const formatted = await bash(quoted(["cryptsetup", ...FORMAT, "--key-file", keyFile, image]));
    assert.equal(formatted.code, 0, formatted.said);
    assert.equal(readFileSync(image).subarray(0, 4).toString("latin1"), "LUKS");
    const written = await bash(attester("--launch", "--provision", "-w", `${keyFile}:luks`));
    assert.equal(written.code, 0, written.said);
    rmSync(keyFile);
  });

  it("opens with the key from the token, which touches no file", async () => {
    const open = `${attester("--launch", "-r", "luks:-")} | ${cryptsetup("open", "--test-passphrase", "--key-file", "-")}`;
    const opened = await bash(open);
    assert.equal(opened.code, 0, opened.said);
    const wrong = await bash(`echo wrong | ${cryptsetup("open", "--test-passphrase", "--key-file", "-")}`);
    assert.notEqual(wrong.code, 0, "any key would do");
  });

  it("stays shut after another boot: red, and no byte of the key", async () => {
    // Without a launch PCR 17 and 18 are not as recorded.
    const read = await bash(`${attester("-r", "luks:-")} 2>/dev/null`);
    assert.equal(read.code, 1);
    assert.equal(read.said, "");
    const { reason } = (await token.event("attestation-failed"))["verdict"] as { readonly reason: string };
    assert.equal(reason, "pcr-mismatch");
    await token.lamps(false, true);
    const open = `${attester("-r", "luks:-")} | ${cryptsetup("open", "--test-passphrase", "--key-file", "-")}`;
    assert.notEqual((await bash(open)).code, 0);
  });

  it("appears under /dev/mapper, where the kernel maps devices", async () => {
    const missing = await whyNoMapper();
    const name = `fobnail-test-${process.pid}`;
    const open = `${attester("--launch", "-r", "luks:-")} | ${cryptsetup("open", "--key-file", "-")} ${name}`;
    try {
      const { code, said } = await bash(open);
      if (missing === undefined) {
        assert.equal(code, 0, said);
        assert.ok(existsSync(`/dev/mapper/${name}`));
      } else {
        console.log(`      not mapped here: ${missing}`);
        assert.notEqual(code, 0);
        assert.doesNotMatch(said, /No key available/);
      }
    } finally {
      if (missing === undefined) await bash(`cryptsetup close ${name}`);
    }
  });
});

/** Undefined where a mapping can be made: root, the kernel's module and its control device. */
async function whyNoMapper(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root may make mappings";
  if (!existsSync("/dev/mapper/control")) return "/dev/mapper/control is missing";
  const { code, said } = await bash("dmsetup version");
  return code === 0 ? undefined : (/^.*open failed.*$/m.exec(said)?.[0] ?? `dmsetup ends with ${code}`);
}
