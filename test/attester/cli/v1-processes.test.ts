/** Token, owner and attester as programs that know of each other only what people tell them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Process, Processes } from "../../support/process.ts";

describe("fobnail-attester and fobnail-token as processes", function () {
  this.timeout(90_000);
  const programs = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-v1-processes-"));
  const file = (name: string) => join(folder, name);
  after(async () => {
    await programs.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const startToken = async (port: number): Promise<{ token: Process; port: number }> => {
    const roots = ["--owner-root", file("owner/root.pem"), "--ek-root", file("vendor/vendor-root.pem")];
    const token = programs.start([
      "token",
      "--net",
      "udp",
      "--port",
      `${port}`,
      "--state",
      file("token"),
      "--json",
      ...roots,
    ]);
    const [, got] = await token.line(/"type":"listening".*"port":(\d+)/);
    return { token, port: Number(got) };
  };
  const done = async (...args: readonly string[]) => {
    const { code, text } = await programs.run(args);
    assert.equal(code, 0, text);
    return text;
  };

  it("keep a key over a token that is killed and comes back, while a watch sees it go and come", async () => {
    await done("owner", "init", file("owner"), "--key", "ecc");
    await done("tpm", "manufacture", "--tpm", `emulator:${file("tpm")}`, "--out", file("vendor"));
    const first = await startToken(0);
    const where = `127.0.0.1:${first.port}`;
    await done("owner", file("owner/chain.pem"), file("owner/key.pem"), "--token", where, "--yes");
    const options = ["--token", where, "--tpm", `emulator:${file("tpm")}`, "--platform", "apu2", "--launch"];
    writeFileSync(file("key"), "a disk's key");
    await done("attester", ...options, "--provision", "-w", `${file("key")}:luks`);

    const watch = programs.start(["attester", "watch", "--interval", "2", ...options]);
    await watch.line(/^Attested with the restricted RSA key\.$/);
    await first.token.kill();
    await watch.line(/^warning: no token answers at 127\.0\.0\.1:\d+$/);
    await startToken(first.port);
    await watch.line(/^Attested with the restricted RSA key\.$/);
    assert.equal(await watch.kill("SIGINT"), 0);

    await done("attester", ...options, "-r", `luks:${file("back")}`);
    assert.equal(readFileSync(file("back"), "utf8"), "a disk's key");
  });
});
