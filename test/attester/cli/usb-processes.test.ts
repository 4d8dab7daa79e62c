/** Token, owner and attester as programs; between them there is USB, and no kernel. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Process, Processes } from "../../support/process.ts";

describe("fobnail-token on USB/IP and host programs as processes", function () {
  this.timeout(90_000);
  const programs = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "fobnail-usb-processes-"));
  const file = (name: string) => join(folder, name);
  after(async () => {
    await programs.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const startToken = async (port: number): Promise<{ token: Process; port: number }> => {
    const where = ["--usbip", `127.0.0.1:${port}`, "--count", "2", "--state", file("token"), "--json"];
    const roots = ["--owner-root", file("owner/root.pem"), "--ek-root", file("vendor/vendor-root.pem")];
    const token = programs.start(["token", ...where, ...roots]);
    const [, got] = await token.line(/"type":"usbip".*"port":(\d+)/);
    return { token, port: Number(got) };
  };
  const done = async (...args: readonly string[]) => {
    const { code, text } = await programs.run(args);
    assert.equal(code, 0, text);
    return text;
  };

  it("keep a key over a token that is killed and comes back, while a watch waits for the stick", async () => {
    await done("owner", "init", file("owner"), "--key", "ecc");
    await done("tpm", "manufacture", "--tpm", `emulator:${file("tpm")}`, "--out", file("vendor"));
    const first = await startToken(0);
    const server = `usbip:127.0.0.1:${first.port}`;
    const usb = ["--usb", `${server}/1-2`];
    const owner = ["--chain", file("owner/chain.pem"), "--key", file("owner/key.pem")];
    const computer = ["--tpm", `emulator:${file("tpm")}`, "--platform", "apu2", "--launch"];

    const several = await programs.run(["owner", file("owner/chain.pem"), file("owner/key.pem"), "--usb", server]);
    assert.equal(several.code, 2, several.text);
    assert.match(several.text, /^error: 2 sticks are plugged in; .*:\n {2}1-1 .*\n {2}1-2 /m);

    await done("owner", file("owner/chain.pem"), file("owner/key.pem"), ...usb, "--yes");
    writeFileSync(file("key"), "a disk's key");
    await done("attester", ...usb, ...computer, "--provision", "-w", `${file("key")}:luks`);
    assert.match(await done("owner", "platforms", ...owner, ...usb), /PC Engines +apu2/);

    const watch = programs.start(["attester", "watch", "--interval", "2", ...usb, ...computer]);
    await watch.line(/^Attested with the restricted RSA key\.$/);
    const busy = await programs.run(["owner", "platforms", ...owner, ...usb]);
    assert.equal(busy.code, 3, busy.text);
    assert.match(busy.text, /1-2 is in use by somebody else/);
    await first.token.kill();
    await watch.line(/^warning: The stick 1-2 is gone\.$/);
    await startToken(first.port);
    await watch.line(/^The stick 1-2 is there\.$/);
    await watch.line(/^Attested with the restricted RSA key\.$/);
    assert.equal(await watch.kill("SIGINT"), 0);

    await done("attester", ...usb, ...computer, "-r", `luks:${file("back")}`);
    assert.equal(readFileSync(file("back"), "utf8"), "a disk's key");
  });
});
